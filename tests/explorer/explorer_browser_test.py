"""What a person does with the explorer's page.

  CALOTYPE_PROGRAM=build/dev/tools/calotype /usr/bin/python3 explorer_browser_test.py
"""
import base64
import csv
import io
import json
import os
import re
import shutil
import unittest

# First: it skips where there is no browser.
from in_browser import CONV, DATA, PageTest, dense, run, train

import numpy as np
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from skimage.io import imread, imsave


class ExplorerTest(PageTest):
    @classmethod
    def make_models(cls):
        cls.vae = train(cls.folder, 'vae', dense(2, True))
        cls.plain = train(cls.folder, 'plain', dense(2, False))
        cls.wide = train(cls.folder, 'wide', dense(5, True))
        cls.grid = train(cls.folder, 'grid', {'_class_name': 'AutoencoderKL', **CONV})

    def test_shows_what_decode_gives(self):
        page = self.explore(self.vae, '--data', DATA)
        page.js('return calotype.row(calotype.first, 7)')
        page.wait('return calotype.first.host.dataset.original === "row 7"')
        store, out = (os.path.join(self.folder, name) for name in ('store', 'decoded'))
        run('encode', self.vae, '--data', DATA, '--dtype', 'fp32', '--out', store)
        run('decode', self.vae, store, '--out', out)
        files = sorted(os.listdir(out))
        want = imread(os.path.join(out, files[7]))
        np.testing.assert_array_equal(page.picture('decoded'),
                                      want if want.ndim == 2 else want[..., 0])

    def test_dragging_the_dot_decodes_where_it_is(self):
        page = self.explore(self.vae, '--data', DATA)
        before, picture = page.code(), page.picture('decoded')
        x, y = page.place()
        overlay = page.part('plane').find_element(By.CLASS_NAME, 'overlay')
        page.decodes(lambda: ActionChains(self.driver)
                     .move_to_element_with_offset(overlay, x, y).click_and_hold()
                     .move_by_offset(70, -50).release().perform())
        after = page.code()
        scale = page.js('const p = calotype.first.plane; return p.view.scale / p.density')
        self.assertAlmostEqual(after[0] - before[0], 70 / scale, delta=2 / scale)
        self.assertAlmostEqual(after[1] - before[1], 50 / scale, delta=2 / scale)
        self.assertTrue((page.picture('decoded') != picture).any())
        answer = page.js('return calotype.first.backend.ask("decode", {code: arguments[0]})',
                         after)
        self.assertEqual(answer['decoded'], page.part('decoded').find_element(
            By.TAG_NAME, 'img').get_attribute('src'))

    def test_fingers_drag_and_pinch(self):
        page = self.explore(self.vae, '--data', DATA)
        before = page.code()
        dot = page.place()
        middle = page.js("""const box = calotype.first.plane.host.getBoundingClientRect();
            return [box.left + box.width / 2, box.top + box.height / 2]""")

        def touch(kind, *points):
            self.driver.execute_cdp_cmd('Input.dispatchTouchEvent', {
                'type': kind, 'touchPoints': [
                    {'x': middle[0] + x, 'y': middle[1] + y, 'id': k}
                    for k, (x, y) in enumerate(points)]})

        def drag():
            touch('touchStart', dot)
            for step in (0.5, 1):
                touch('touchMove', (dot[0] + 60 * step, dot[1] - 40 * step))
            touch('touchEnd')
        page.decodes(drag)
        scale = page.js('const p = calotype.first.plane; return p.view.scale / p.density')
        after = page.code()
        self.assertAlmostEqual(after[0] - before[0], 60 / scale, delta=2 / scale)
        self.assertAlmostEqual(after[1] - before[1], 40 / scale, delta=2 / scale)
        # Two fingers, away from the dot, twice as far apart at the end.
        touch('touchStart', (-40, 150), (40, 150))
        touch('touchMove', (-60, 150), (60, 150))
        touch('touchMove', (-80, 150), (80, 150))
        touch('touchEnd')
        zoomed = page.js('const p = calotype.first.plane; return p.view.scale / p.density')
        self.assertAlmostEqual(zoomed / scale, 2, delta=0.05)
        self.assertEqual(page.code(), after)

    def test_the_error_is_that_of_the_two_pictures(self):
        page = self.explore(self.vae, '--data', DATA)
        a, b = (page.picture(name).astype(float) / 255 for name in ('original', 'decoded'))
        said = float(re.search(r'MSE ([0-9.e-]+)', page.part('lost').text)[1])
        self.assertAlmostEqual(said, ((a - b) ** 2).mean(), delta=1e-4 * said + 1e-6)

    def test_a_picture_that_is_given_is_encoded_as_embed_does(self):
        page = self.explore(self.vae, '--data', DATA)
        file = os.path.join(self.folder, 'mine.png')
        levels = (np.add.outer(np.arange(16), np.arange(16)) * 8).astype(np.uint8)
        imsave(file, levels, check_contrast=False)
        page.driver.find_element(By.ID, 'file').send_keys(file)
        page.wait('return calotype.first.host.dataset.original.startsWith("image")')
        table = os.path.join(self.folder, 'mine.csv')
        run('embed', self.vae, '--data', file, '--out', table)
        with open(table, encoding='utf-8') as lines:
            row = list(csv.DictReader(lines))[0]
        want = [float(value) for key, value in row.items() if re.fullmatch(r'z\d+', key)]
        np.testing.assert_allclose(page.code(), want, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(page.picture('original'), levels)

    def test_pictures_are_dropped_pasted_and_drawn(self):
        page = self.explore(self.vae, '--data', DATA)
        levels = np.zeros((16, 16), np.uint8)
        levels[4:12, 6:9] = 200
        png = io.BytesIO()
        imsave(png, levels, plugin='pil', format_str='png', check_contrast=False)
        give = """const files = new DataTransfer();
            const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
            files.items.add(new File([bytes], 'mine.png', {type: 'image/png'}));
            window.dispatchEvent(%s)"""
        text = base64.b64encode(png.getvalue()).decode()
        for k, event in enumerate((
                "new DragEvent('drop', {dataTransfer: files, cancelable: true})",
                "new ClipboardEvent('paste', {clipboardData: files})")):
            page.js(give % event, text)
            page.wait(f'return calotype.first.host.dataset.original === "image {k}"')
            np.testing.assert_array_equal(page.picture('original'), levels)
        page.driver.find_element(By.CSS_SELECTOR, 'header summary').click()
        canvas = page.driver.find_element(By.CLASS_NAME, 'drawing')
        ActionChains(self.driver).move_to_element(canvas).click_and_hold().move_by_offset(
            60, 0).release().perform()
        page.wait('return calotype.first.host.dataset.original === "image 2"')
        drawn = page.picture('original')
        self.assertGreater(drawn[6:10].max(), 120)  # a line a pixel wide, between two
        self.assertEqual(drawn[0].max(), 0)

    def test_a_lasso_chooses_what_lies_in_it(self):
        page = self.explore(self.vae, '--data', DATA)
        overlay = page.part('plane').find_element(By.CLASS_NAME, 'overlay')
        w, h = overlay.size['width'] - 8, overlay.size['height'] - 8
        ActionChains(self.driver).move_to_element_with_offset(
            overlay, -w / 2, -h / 2).key_down(Keys.SHIFT).click_and_hold().move_by_offset(
            w, 0).move_by_offset(0, h).move_by_offset(-w, 0).release().key_up(
            Keys.SHIFT).perform()
        page.wait('return calotype.first.part("chosen").textContent.includes("chosen")')
        inside = page.js("""const p = calotype.first.plane, {points} = p.plane;
            let count = 0;
            for (let i = 0; i < points.length; i += 2) {
              const [x, y] = p.toPixel(points[i], points[i + 1]);
              count += x > 4 && y > 4 && x < p.overlay.width - 4 && y < p.overlay.height - 4;
            }
            return count""")
        self.assertEqual(int(page.part('chosen').text.split()[0]), inside)

    def test_keys_move_the_code_and_the_address_keeps_it(self):
        page = self.explore(self.vae, '--data', DATA)
        overlay = page.part('plane').find_element(By.CLASS_NAME, 'overlay')
        before = page.code()
        page.decodes(lambda: overlay.send_keys(Keys.ARROW_RIGHT))
        after = page.code()
        self.assertGreater(after[0], before[0])
        self.assertAlmostEqual(after[1], before[1], places=6)
        page.wait('return location.hash.includes("code=")')
        fragment = page.js('return location.hash')
        page.open(fragment)
        np.testing.assert_allclose(page.code(), after, rtol=1e-6)

    def test_clouds_and_holes_are_drawn(self):
        page = self.explore(self.vae, '--data', DATA)
        drawn = '''const c = calotype.first.plane.overlay;
            return c.getContext('2d').getImageData(0, 0, c.width, c.height).data
                .reduce((sum, v, i) => i % 4 === 3 ? sum + (v > 0) : sum, 0)'''
        plain = page.js(drawn)
        page.driver.find_element(By.ID, 'cloud').click()
        page.wait('return calotype.first.part("samples").children.length === 8')
        cloud = page.js(drawn)
        self.assertGreater(cloud, plain)
        page.driver.find_element(By.ID, 'holes').click()
        page.wait('''const s = calotype.first.plane.shade;
            return s && s.row === s.image.height''')
        self.assertGreater(page.js(drawn), 2 * cloud)
        self.assertIn('holes&cloud', page.js('return location.hash'))
        # The ellipse is the posterior's own, to scale.
        spread = page.js('return calotype.first.spreadOf(calotype.first.logvar)')
        logvar = page.js('return Array.from(calotype.first.logvar)')
        np.testing.assert_allclose(spread, [np.exp(logvar[0]), 0, np.exp(logvar[1])],
                                   rtol=1e-6)

    def test_holes_are_as_far_as_the_nearest_code_is(self):
        page = self.explore(self.vae, '--data', DATA)
        far = page.js('''const p = calotype.first.plane, {points} = p.plane, wrong = [];
            for (let k = 0; k < 500; ++k) {
              const x = 8 * Math.sin(k * 12.9), y = 8 * Math.cos(k * 78.2);
              let best = Infinity;
              for (let i = 0; i < points.length; i += 2)
                best = Math.min(best, Math.hypot(points[i] - x, points[i + 1] - y));
              const {distance} = p.nearest.at(x, y);
              if (Math.abs(distance - best) > 1e-9) wrong.push([x, y, distance, best]);
            }
            return wrong''')
        self.assertEqual(far, [])

    def test_sliders_move_one_number_and_walk_along_it(self):
        page = self.explore(self.wide, '--data', DATA)
        before = page.code()
        slider = page.part('numbers').find_elements(By.CSS_SELECTOR, '.slider')[3]
        page.decodes(lambda: page.js('''const input = arguments[0];
            input.value = Number(input.value) + 0.5;
            input.dispatchEvent(new Event('change'))''',
            slider.find_element(By.TAG_NAME, 'input')))
        after = page.code()
        self.assertGreater(after[3], before[3])
        self.assertEqual([v for i, v in enumerate(before) if i != 3],
                         [v for i, v in enumerate(after) if i != 3])
        slider.find_element(By.TAG_NAME, 'button').click()
        page.wait('return document.querySelectorAll(".slider .tiles canvas").length === 9')

    def test_axes_may_be_chosen(self):
        page = self.explore(self.wide, '--data', DATA)
        self.assertIn('component', page.js('return calotype.first.plane.plane.labels[0]'))
        axes = page.driver.find_element(By.ID, 'axes')
        axes.send_keys('z1, z4', Keys.ENTER)
        page.wait('return calotype.first.plane.plane.labels[1] === "z4"')
        code = page.code()
        np.testing.assert_allclose(page.js('return calotype.first.plane.place'),
                                   [code[1], code[4]], rtol=1e-5)
        axes.clear()
        axes.send_keys('z1, z9', Keys.ENTER)
        page.wait('return !document.getElementById("message").hidden')
        self.assertIn('[0, 5)', page.driver.find_element(By.ID, 'message').text)

    def test_an_address_with_axes_that_are_not_there_opens_all_the_same(self):
        page = self.explore(self.wide, '--data', DATA)
        page.open('#row=4&axes=0,99')
        self.assertEqual(page.js('return calotype.first.host.dataset.original'), 'row 4')
        self.assertIn('component', page.js('return calotype.first.plane.plane.labels[0]'))
        page.js('location.hash = "row=4&axes=0,3"')
        page.wait('return calotype.first.plane.plane.labels[1] === "z3"')

    def test_a_lost_original_is_no_original(self):
        # Codes of pictures that are gone: nothing can be said of what was lost.
        images, store, file = (os.path.join(self.folder, name)
                               for name in ('pictures', 'codes', 'lost.html'))
        os.mkdir(images)
        for i in range(5):
            imsave(os.path.join(images, f'{i}.png'),
                   np.full((16, 16), 40 * i, np.uint8), check_contrast=False)
        run('encode', self.wide, '--data', images, '--out', store)
        shutil.rmtree(images)
        run('explore', self.wide, store, '--export', file)
        self.driver.get('file://' + file)
        WebDriverWait(self.driver, 60).until(lambda d: d.execute_script(
            'return document.body.dataset.ready === "yes"'))
        self.assertEqual(self.driver.find_element(
            By.CSS_SELECTOR, '[data-part=original]').text, 'not at hand')
        self.assertEqual(self.driver.find_element(
            By.CSS_SELECTOR, '[data-part=lost]').text, '')

    def test_the_way_between_two_codes(self):
        page = self.explore(self.vae, '--data', DATA)
        for name, row in (('A', 3), ('B', 11)):
            page.js(f'return calotype.row(calotype.first, {row})')
            page.wait(f'return calotype.first.host.dataset.original === "row {row}"')
            page.part('between').find_element(By.CSS_SELECTOR, f'[data-pin={name}]').click()
        page.wait('return document.querySelectorAll("[data-part=between] .tiles canvas")'
                  '.length === 9')
        a, b = (np.array(page.js(f'return Array.from(calotype.panels.get(calotype.first)'
                                 f'.between.pins.get("{name}"))')) for name in 'AB')
        page.decodes(lambda: page.js('''const input = arguments[0];
            input.value = 0.25;
            input.dispatchEvent(new Event('change'))''',
            page.part('between').find_element(By.CSS_SELECTOR, '.walk input')))
        np.testing.assert_allclose(page.code(), 0.75 * a + 0.25 * b, rtol=1e-5, atol=1e-6)

    def test_the_brush_edits_a_cell_of_a_channel(self):
        page = self.explore(self.grid, '--data', DATA)
        before = page.code()
        channel = page.part('numbers').find_elements(By.TAG_NAME, 'canvas')[1]
        edge = channel.size['width'] / 8
        page.decodes(lambda: ActionChains(self.driver).move_to_element_with_offset(
            channel, 1.5 * edge, -2.5 * edge).click().perform())
        after = page.code()
        cell = 64 + 1 * 8 + 5  # channel 1, row 1, column 5
        changed = [i for i, (a, b) in enumerate(zip(before, after)) if a != b]
        self.assertEqual(changed, [cell])

    def test_neighbours_vary_in_directions(self):
        page = self.explore(self.grid, '--data', DATA)
        box = page.part('directions')
        page.js('arguments[0].parentElement.open = true', box)
        box.find_element(By.TAG_NAME, 'button').click()
        page.wait('return document.querySelectorAll("[data-part=directions] canvas").length'
                  ' === 28')
        labels = [tile.get_attribute('aria-label')
                  for tile in box.find_elements(By.CSS_SELECTOR, '.tiles canvas')]
        self.assertEqual(labels[0], '-2 deviations along direction 0')
        self.assertEqual(labels[-1], '2 deviations along direction 3')

    def test_two_models_show_the_same_picture(self):
        page = self.explore(self.vae, '--data', DATA, '--beside', self.plain)
        page.js('return calotype.row(calotype.first, 20)')
        page.wait('return calotype.views.every(v => v.host.dataset.original === "row 20")')
        np.testing.assert_array_equal(page.picture('original', 0), page.picture('original', 1))
        self.assertIn('KL', page.part('facts', 0).text)
        self.assertNotIn('KL', page.part('facts', 1).text)

    def test_nearest_pictures_have_their_distances(self):
        page = self.explore(self.wide, '--data', DATA)
        page.wait('return calotype.first.part("nearest").children.length === 8')
        first = page.part('nearest').find_elements(By.TAG_NAME, 'span')
        self.assertEqual(first[0].text, '0')
        self.assertGreater(float(first[1].text), 0)
        self.assertTrue(page.part('far').text.startswith('nearest code 0 away'))
        # Off the plane that was asked for, the distance is that of all numbers.
        page.js('const c = calotype.first.code.slice(); c[4] += 50;'
                'return calotype.first.setCode(c)')
        page.wait('return parseFloat(calotype.first.part("far").textContent.slice(13)) > 40')
        page.wait("""const p = calotype.first.plane;
            return p.nearest.offPlane && p.nearest.at(...p.place).distance > 40""")

    def test_a_bad_file_is_told_and_nothing_breaks(self):
        page = self.explore(self.vae, '--data', DATA)
        file = os.path.join(self.folder, 'bad.png')
        with open(file, 'wb') as bad:
            bad.write(b'this is no picture')
        before = page.code()
        page.driver.find_element(By.ID, 'file').send_keys(file)
        page.wait('return !document.getElementById("message").hidden')
        self.assertEqual(page.code(), before)

    def test_nothing_is_asked_of_the_network(self):
        for log in ('performance', 'browser'):
            self.driver.get_log(log)
        self.explore(self.vae, '--data', DATA)
        messages = [json.loads(entry['message'])['message']
                    for entry in self.driver.get_log('performance')]
        asked = [message['params']['request']['url'] for message in messages
                 if message['method'] == 'Network.requestWillBeSent']
        self.assertTrue(any('/api/model' in url for url in asked))
        strange = [url for url in asked
                   if not url.startswith(('http://127.0.0.1:', 'data:', 'about:', 'blob:'))]
        self.assertEqual(strange, [])
        errors = [entry for entry in self.driver.get_log('browser')
                  if entry['level'] == 'SEVERE']
        self.assertEqual(errors, [])

    def test_ctrl_c_ends_it(self):
        page = self.explore(self.vae, '--data', DATA)
        code, out, err = page.close()
        self.assertEqual((code, err), (0, ''))
        self.assertIn('requests', out)


if __name__ == '__main__':
    unittest.main()
