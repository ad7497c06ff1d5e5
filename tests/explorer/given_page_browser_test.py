"""What a page that was given away shows, from disk and without a network.

  CALOTYPE_PROGRAM=build/dev/tools/calotype /usr/bin/python3 given_page_browser_test.py
"""
import base64
import io
import os
import unittest

# First: it skips where there is no browser.
from in_browser import CONV, DATA, PageTest, dense, run, train

import numpy as np
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from skimage.io import imread


class GivenPageTest(PageTest):
    @classmethod
    def make_models(cls):
        cls.wide = train(cls.folder, 'wide', dense(5, True))

    def network(self, is_there):
        self.driver.execute_cdp_cmd('Network.enable', {})
        self.driver.execute_cdp_cmd('Network.emulateNetworkConditions', {
            'offline': not is_there, 'latency': 0, 'downloadThroughput': -1,
            'uploadThroughput': -1})

    def away(self, model, data=DATA):
        """The page of a model, opened from disk without a network."""
        file = os.path.join(self.folder, 'away.html')
        said = run('explore', model, '--data', data, '--export', file)
        self.network(False)
        self.addCleanup(self.network, True)
        self.driver.get('file://' + file)
        WebDriverWait(self.driver, 60, 0.05).until(lambda d: d.execute_script(
            'return document.body.dataset.ready === "yes"'))
        return said

    def ask(self, name, request):
        return self.driver.execute_script(
            'return calotype.first.backend.ask(arguments[0], arguments[1])', name, request)

    @staticmethod
    def levels(url):
        picture = imread(io.BytesIO(base64.b64decode(url.split(',')[1]))).astype(int)
        return picture if picture.ndim == 2 else picture[..., :3]

    def assert_within_a_level(self, got, want):
        got, want = self.levels(got), self.levels(want)
        if want.ndim == 2:
            got = got[..., 0]
        self.assertLessEqual(np.abs(got - want).max(), 1)

    def test_a_page_that_is_given_away_answers_as_the_program(self):
        page = self.explore(self.wide, '--data', DATA)
        code = [0.3, -1.2, 0.8, 2.0, -0.4]
        row = self.ask('encode', {'row': 9})
        near = self.ask('nearest', {'code': code, 'count': 8})
        page.close()
        self.away(self.wide)
        away = self.ask('encode', {'row': 9})
        self.assert_within_a_level(away['picture'], row['picture'])
        self.assert_within_a_level(away['decoded'], row['decoded'])
        self.assertAlmostEqual(away['error']['mse'], row['error']['mse'], delta=1e-5)
        found = self.ask('nearest', {'code': code, 'count': 8})
        self.assertEqual([n['row'] for n in found['nearest']],
                         [n['row'] for n in near['nearest']])

    def test_decoders_run_in_a_page_that_is_given_away(self):
        family = {'_class_name': 'CalotypeAutoencoder', 'sample_size': 16, 'hidden': [8, 12],
                  'latent_channels': 3}
        kl = {'_class_name': 'AutoencoderKL', **CONV}
        attention = {**kl, 'mid_block_add_attention': True, 'layers_per_block': 2,
                     'block_out_channels': [8, 12], 'in_channels': 3, 'out_channels': 3,
                     'up_block_types': ['AttnUpDecoderBlock2D', 'UpDecoderBlock2D']}
        vq = {'_class_name': 'VQModel', 'num_vq_embeddings': 16, **CONV}
        for name, model, data in (
                ('tied', {**family, 'hidden': [20, 12], 'tied': True, 'act_fn': 'gelu'}, DATA),
                ('vector', {**family, 'network': 'conv', 'reconstruction': 'bce'}, DATA),
                ('cells', {**family, 'network': 'conv', 'code_grid': True, 'act_fn': 'mish'},
                 DATA),
                ('kl', kl, 'synthetic:40:15:1:4'),  # padded to 16
                ('attention', attention, 'synthetic:40:16:3:4'),
                ('learned', vq, DATA),
                ('ema', {**vq, 'quantizer': {'kind': 'ema'}}, DATA)):
            with self.subTest(name):
                self.network(True)
                folder = train(self.folder, 'away_' + name, model, data)
                page = self.explore(folder, '--data', data)
                facts = page.js('return calotype.first.model')
                count = int(np.prod(facts['code']))
                codes = [list(np.sin(np.arange(count) * k) * k) for k in (0.5, 1.7)]
                want = [self.ask('decode', {'code': code, 'original': 'row 3'})
                        for code in codes]
                row = self.ask('encode', {'row': 7})
                tokens = [k % 16 for k in range(count // 2)]
                if facts['num_codes']:
                    book = self.ask('codebook', {'level': 0})
                    painted = self.ask('detokenize', {'tokens': tokens})
                page.close()
                said = self.away(folder, data)
                self.assertNotIn('cannot run', said)
                for code, answer in zip(codes, want):
                    got = self.ask('decode', {'code': code, 'original': 'row 3'})
                    self.assert_within_a_level(got['decoded'], answer['decoded'])
                    self.assertAlmostEqual(got['error']['mse'], answer['error']['mse'],
                                           delta=1e-4)
                got = self.ask('encode', {'row': 7})
                self.assert_within_a_level(got['decoded'], row['decoded'])
                self.assert_within_a_level(self.ask('sheet', {'codes': [codes[1]]})['picture'],
                                           want[1]['decoded'])
                if facts['num_codes']:
                    self.assertEqual(got['tokens'], row['tokens'])
                    self.assertEqual(self.ask('codebook', {'level': 0}), book)
                    self.assert_within_a_level(
                        self.ask('detokenize', {'tokens': tokens})['decoded'],
                        painted['decoded'])

    def test_a_codec_that_no_page_can_run_is_frozen(self):
        masked = train(self.folder, 'masked', {
            '_class_name': 'CalotypeAutoencoder', 'network': 'masked', 'sample_size': 16,
            'width': 8, 'num_layers': 1, 'num_attention_heads': 2, 'decoder_width': 8,
            'decoder_layers': 1, 'latent_channels': 2})
        self.away(masked)
        self.assertIn('24 × 24 places', self.driver.find_element(By.CLASS_NAME, 'frozen').text)
        at, edge, error = self.driver.execute_script("""
            const {parts} = calotype.first.backend, {x, y, edge} = parts.lattice;
            const {origin, directions: [u, v]} = calotype.first.plane.plane;
            const code = origin.map((o, i) => o + x[1] * u[i] + y[0] * v[i]);
            return calotype.first.backend.lattice().then(({tileAt}) => [
              tileAt(code), parts.lattice.edge, calotype.first.part('lost').textContent])""")
        self.assertEqual(at, [(edge - 1) * 16, 0])
        self.assertIn('MSE', error)


if __name__ == '__main__':
    unittest.main()
