"""What a person does with models that draw, and with tokens.

  CALOTYPE_PROGRAM=build/dev/tools/calotype /usr/bin/python3 drawing_browser_test.py
"""
import os
import unittest

# First: it skips where there is no browser.
from in_browser import CONV, DATA, PageTest, run, train

import numpy as np
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from skimage.io import imread

UNET = {'_class_name': 'UNet2DModel', 'block_out_channels': [8],
        'down_block_types': ['DownBlock2D'], 'up_block_types': ['UpBlock2D'],
        'layers_per_block': 1, 'norm_num_groups': 4}


class DrawingTest(PageTest):
    @classmethod
    def make_models(cls):
        grid = train(cls.folder, 'grid', {'_class_name': 'AutoencoderKL', **CONV})
        cls.tokenizer = train(cls.folder, 'tokenizer', {
            '_class_name': 'VQModel', 'num_vq_embeddings': 16, **CONV})
        store, cls.token_store = (os.path.join(cls.folder, name)
                                  for name in ('latents', 'tokens'))
        run('encode', grid, '--data', DATA, '--out', store)
        run('encode', cls.tokenizer, '--data', DATA, '--out', cls.token_store)
        cls.diffusion = train(cls.folder, 'diffusion', UNET, store)
        cls.generator = train(cls.folder, 'generator', {
            '_class_name': 'CalotypeMaskedGenerator', 'width': 16, 'num_layers': 1,
            'num_attention_heads': 2}, cls.token_store)

    def drawn_by_generate(self, model, *options):
        out = os.path.join(self.folder, 'drawn_' + os.path.basename(model))
        run('generate', model, '--count', '1', *options, '--out', out)
        files = [os.path.join(folder, name) for folder, _, names in os.walk(out)
                 for name in names if name.endswith('.png')]
        picture = imread(files[0])
        return picture if picture.ndim == 2 else picture[..., 0]

    def test_draws_what_generate_draws(self):
        page = self.explore(self.diffusion)
        drawer = page.part('drawer')
        named = {name: drawer.find_element(By.CSS_SELECTOR, f'[data-name="{name}"]')
                 for name in ('class', 'seed', 'steps', 'sampler', 'to_seed')}
        page.js('arguments[0].value = 6; arguments[1].value = "ddim"; arguments[2].value = 5;'
                'arguments[3].value = "circle"', named['steps'], named['sampler'],
                named['seed'], named['class'])
        page.js('return calotype.panels.get(calotype.first).drawer.draw()')
        page.wait('return document.querySelectorAll("[data-tiles=way] canvas").length === 6')
        want = self.drawn_by_generate(self.diffusion, '--seed', '5', '--steps', '6',
                                      '--sampler', 'ddim', '--class', 'circle',
                                      '--guidance', '2')
        np.testing.assert_array_equal(page.picture('decoded'), want)
        # A walk begins with that picture.
        code = page.code()
        page.js('return calotype.panels.get(calotype.first).drawer.walk()')
        page.wait('return document.querySelectorAll("[data-tiles=walk] button").length === 9')
        page.decodes(lambda: drawer.find_elements(
            By.CSS_SELECTOR, '[data-tiles=walk] button')[0].click())
        np.testing.assert_allclose(page.code(), code, rtol=1e-5, atol=1e-6)
        # Of a part that is drawn anew the rest stays.
        mask = drawer.find_element(By.CSS_SELECTOR, '.mask canvas')
        page.js('arguments[0].scrollIntoView({block: "center"})', mask)
        ActionChains(self.driver).move_to_element_with_offset(mask, 4, 4).click().perform()
        page.js('return calotype.panels.get(calotype.first).drawer.draw(true)')
        part = page.code()
        changed = [i for i, (a, b) in enumerate(zip(code, part)) if abs(a - b) > 1e-6]
        self.assertEqual({i % 64 for i in changed}, {4 * 8 + 4})

    def test_tokens_are_painted(self):
        page = self.explore(self.tokenizer, '--data', DATA)
        panel = 'calotype.panels.get(calotype.first).tokens'
        page.wait(f'return {panel}.codePictures && {panel}.tokens')
        tokens = page.js(f'return {panel}.tokens')
        picture = page.picture('decoded')
        usage = page.js(f'return [...{panel}.usage.values()]')
        self.assertEqual(sum(usage), 60 * len(tokens))
        self.assertEqual(usage, sorted(usage, reverse=True))
        brush = next(code for code in range(16) if code != tokens[0])
        page.js(f'{panel}.brush = {brush}')
        canvas = page.part('tokens').find_element(By.TAG_NAME, 'canvas')
        page.js('arguments[0].scrollIntoView({block: "center"})', canvas)
        box = canvas.size
        ActionChains(self.driver).move_to_element_with_offset(
            canvas, 6 - box['width'] / 2, 6 - box['height'] / 2).click().perform()
        page.wait('return document.querySelector("[data-part=tokens]").dataset.painted'
                  ' === "1"')
        self.assertEqual(page.js(f'return {panel}.tokens'), [brush] + tokens[1:])
        # A book of many codes stays within the page, whole.
        page.js(f'{panel}.book.width = 4000')
        self.assertTrue(page.js('return document.documentElement.scrollWidth <= innerWidth'))
        self.assertTrue((page.picture('decoded') != picture).any())

    def test_a_generator_of_tokens_draws_what_generate_draws(self):
        page = self.explore(self.generator)
        drawer = page.part('drawer')
        self.assertEqual(page.js('return calotype.first.model.set.count'), 60)
        hidden = page.js('''return ['sampler', 'to_seed'].map((name) => arguments[0].querySelector(
            `[data-name="${name}"]`).offsetParent === null)''', drawer)
        self.assertEqual(hidden, [True, True])
        seed, steps, kind = (drawer.find_element(By.CSS_SELECTOR, f'[data-name="{name}"]')
                             for name in ('seed', 'steps', 'class'))
        page.js('arguments[0].value = 3; arguments[1].value = 5; arguments[2].value = "circle"',
                seed, steps, kind)
        page.js('return calotype.panels.get(calotype.first).drawer.draw()')
        page.wait('return document.querySelectorAll("[data-tiles=way] canvas").length === 5')
        want = self.drawn_by_generate(self.generator, '--seed', '3', '--steps', '5',
                                      '--class', 'circle')
        np.testing.assert_array_equal(page.picture('decoded'), want)
        # Its tokens lie over it, and are those of this picture.
        tokens = page.js('return calotype.panels.get(calotype.first).tokens.tokens')
        answer = page.js('return calotype.first.backend.ask("detokenize", '
                         '{tokens: arguments[0]})', tokens)
        self.assertEqual(answer['decoded'], page.part('decoded').find_element(
            By.TAG_NAME, 'img').get_attribute('src'))

    def test_a_store_of_tokens_shows_the_images_that_it_is_of(self):
        page = self.explore(self.tokenizer, self.token_store)
        self.assertEqual(page.js('return calotype.first.model.set.count'), 60)
        _, _, said = page.close()
        self.assertIn('holds tokens, which lie in no plane; ' + DATA + ' is encoded', said)

    def test_levels_are_painted_one_by_one(self):
        for name, model in (
                ('residual', {'_class_name': 'VQModel', 'num_vq_embeddings': 8, **CONV,
                              'quantizer': {'kind': 'residual', 'num_quantizers': 2}}),
                ('two_levels', {'_class_name': 'CalotypeVQVAE2', 'in_channels': 1,
                                'out_channels': 1, 'block_out_channels': [8, 8],
                                'latent_channels': 4, 'norm_num_groups': 4,
                                'num_vq_embeddings': 8})):
            with self.subTest(name):
                page = self.explore(train(self.folder, name, model), '--data', DATA)
                panel = 'calotype.panels.get(calotype.first).tokens'
                page.wait(f'return {panel}.codePictures && {panel}.tokens')
                levels = page.js('return calotype.first.model.num_levels')
                before = page.js(f'return {panel}.tokens')
                self.assertEqual(len(before) % levels, 0)
                level = page.part('tokens').find_element(By.TAG_NAME, 'select')
                page.js('arguments[0].value = 1;'
                        'arguments[0].dispatchEvent(new Event("change"))', level)
                page.wait(f'return {panel}.level === 1')
                cells = len(before) // levels
                brush = (before[cells] + 1) % 8
                page.js(f'{panel}.brush = {brush}; {panel}.paint({cells})')
                page.wait('return document.querySelector("[data-part=tokens]").dataset.painted'
                          ' === "1"')
                after = page.js(f'return {panel}.tokens')
                changed = [i for i, (a, b) in enumerate(zip(before, after)) if a != b]
                self.assertEqual(changed, [cells])
                self.assertEqual(page.close()[0], 0)


if __name__ == '__main__':
    unittest.main()
