"""What a person does with the toy page.

  CALOTYPE_PROGRAM=build/dev/tools/calotype /usr/bin/python3 toy_browser_test.py
"""
import pathlib
import unittest

from in_browser import PageTest  # first: it skips where there is no browser

import numpy as np
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

SOURCE = pathlib.Path(__file__).resolve().parents[2]


class ToyTest(PageTest):
    def toy(self, fragment=''):
        page = self.explore('--toy')
        if fragment:
            page.open(fragment)
        return page

    def test_gradients_are_those_of_differences(self):
        page = self.toy()
        wrong = self.driver.execute_async_script("""
            const done = arguments[0];
            Promise.all([import('explorer/mlp.js'), import('explorer/random.js')])
                .then(([{Mlp}, {uniforms}]) => {
              const u = uniforms(3), net = new Mlp([2, 5, 4, 3], u);
              const x = Float64Array.from({length: 14}, () => u() - 0.5);
              const loss = () => net.output(x, 7).reduce((s, v) => s + v * v, 0);
              const all = net.forward(x, 7);
              const dx = net.backward(all, all.at(-1).map((v) => 2 * v), 7);
              const wrong = [];
              const check = (values, grads) => values.forEach((v, i) => {
                values[i] = v + 1e-5;
                const more = loss();
                values[i] = v - 1e-5;
                const less = loss();
                values[i] = v;
                const want = (more - less) / 2e-5;
                if (Math.abs(grads[i] - want) > 1e-6 * (1 + Math.abs(want)))
                  wrong.push([grads[i], want]);
              });
              for (const [values, grads] of net.parameters()) check(values, grads);
              check(x, dx);
              done(wrong);
            });""")
        self.assertEqual(wrong, [])
        self.assertEqual(page.close()[0], 0)

    def test_a_linear_one_finds_the_principal_component(self):
        page = self.toy('#member=linear&set=arc&numbers=1')
        page.wait('return Number(document.body.dataset.steps) > 4000')
        apart = self.driver.execute_async_script("""
            const done = arguments[0];
            import('explorer/toy_family.js').then(({principalLine}) => {
              const {mean, direction: d} = principalLine(toy.points);
              const apart = [];
              for (const p of [[1, 1], [-1, 0.3], [0.4, -1.2]]) {
                const t = (p[0] - mean[0]) * d[0] + (p[1] - mean[1]) * d[1];
                const [x, y] = toy.model.decode(toy.model.encode(p));
                apart.push(Math.hypot(mean[0] + t * d[0] - x, mean[1] + t * d[1] - y));
              }
              done(apart);
            });""")
        self.assertLess(max(apart), 0.1)  # of steps that never end, Adam's own noise

    def test_a_denoising_one_pushes_points_to_the_data(self):
        page = self.toy('#member=denoising&set=circle&numbers=2')
        page.wait('return Number(document.body.dataset.steps) > 2500')
        # From both sides of a circle of radius 1.2.
        for radius in (0.9, 1.5):
            got = page.js("""const at = [];
                for (let k = 0; k < 24; ++k)
                  at.push(arguments[0] * Math.cos(k * 0.26), arguments[0] * Math.sin(k * 0.26));
                const to = toy.model.decode(toy.model.encode(at)), far = [];
                for (let i = 0; i < to.length; i += 2)
                  far.push(Math.abs(Math.hypot(to[i], to[i + 1]) - 1.2));
                return far""", radius)
            self.assertLess(np.mean(got), 0.7 * abs(radius - 1.2))

    def test_every_member_learns(self):
        page = self.toy()
        for button in page.driver.find_elements(By.CSS_SELECTOR, '#members button'):
            button.click()
            page.wait('return toy.model.losses.length > 800')
            begin, end = page.js("""const mean = (a) => a.reduce((s, v) => s + v, 0) / a.length;
                return [mean(toy.model.losses.slice(0, 10)), mean(toy.model.losses.slice(-50))]""")
            self.assertLess(end, 0.5 * begin, button.text)

    def test_every_member_shows_its_paragraph_of_the_documents(self):
        page = self.toy()
        docs = (SOURCE / 'docs/autoencoders.md').read_text()
        shown = set()
        for button in page.driver.find_elements(By.CSS_SELECTOR, '#members button'):
            button.click()
            text = page.driver.find_element(By.ID, 'reach-text').text
            self.assertIn(text, ' '.join(docs.replace('`', '').split()))
            shown.add(text)
        self.assertEqual(len(shown), 6)

    def test_an_input_is_put_where_one_clicks(self):
        page = self.toy()
        plane = page.driver.find_element(By.ID, 'plane')
        width = plane.size['width']
        ActionChains(self.driver).move_to_element_with_offset(
            plane, width / 4, -width / 8).click().perform()
        np.testing.assert_allclose(page.js('return toy.input'), [1, 0.5], atol=0.03)
        self.assertIn('lands', page.driver.find_element(By.ID, 'lands').text)


if __name__ == '__main__':
    unittest.main()
