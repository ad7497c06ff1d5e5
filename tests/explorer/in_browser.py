"""The explorer in Debian's Chromium, headless, for the tests beside this file.

Importing it ends the process with 77 where Chromium, its driver, python3-selenium or
python3-skimage is missing.
"""
import base64
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

try:
    from skimage.io import imread
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError as error:
    print(f'skipped: {error}; ./run test installs it where CI=true')
    sys.exit(77)
for program in ('chromium', 'chromedriver'):
    if not shutil.which(program):
        print(f'skipped: {program} is missing; ./run test installs it where CI=true')
        sys.exit(77)

PROGRAM = os.environ['CALOTYPE_PROGRAM']

DATA = 'synthetic:60:16:1:4'
CONV = {'in_channels': 1, 'out_channels': 1,
        'down_block_types': ['DownEncoderBlock2D'] * 2,
        'up_block_types': ['UpDecoderBlock2D'] * 2, 'block_out_channels': [8, 8],
        'layers_per_block': 1, 'latent_channels': 2, 'norm_num_groups': 4,
        'mid_block_add_attention': False}


def run(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f'{arguments}: {done.stderr}')
    return done.stdout


def dense(numbers, variational):
    return {'_class_name': 'CalotypeAutoencoder', 'sample_size': 16, 'hidden': [32],
            'latent_channels': numbers, 'variational': variational}


def train(folder, name, model, data=DATA):
    config = os.path.join(folder, name + '.json')
    with open(config, 'w', encoding='utf-8') as file:
        json.dump({'model': model, 'data': {'train': data},
                   'training': {'steps': 30, 'batch_size': 20, 'log_every': 10}}, file)
    run('train', config, '--out', os.path.join(folder, name), '--quiet')
    return os.path.join(folder, name)


def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    for argument in ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic',
                     '--no-first-run', '--disable-background-networking',
                     '--disable-component-update', '--disable-sync',
                     '--window-size=1400,1200'):
        options.add_argument(argument)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    return webdriver.Chrome(service=Service(shutil.which('chromedriver')), options=options)


class Explorer:
    """The program serving, and the page that it serves."""

    def __init__(self, driver, *arguments):
        self.process = subprocess.Popen(
            [PROGRAM, 'explore', *arguments, '--no-open', '--quiet'],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        self.driver = driver
        self.open()

    def open(self, fragment=''):
        self.driver.get('about:blank')
        self.driver.get(self.url + fragment)
        self.wait('return document.body.dataset.ready === "yes"')

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition):
        WebDriverWait(self.driver, 120, 0.05).until(lambda _: self.js(condition))

    def part(self, name, view=0):
        return self.driver.find_elements(By.TAG_NAME, 'article')[view].find_element(
            By.CSS_SELECTOR, f'[data-part="{name}"]')

    def picture(self, name, view=0):
        """The grey levels of one of the three pictures."""
        url = self.part(name, view).find_element(By.TAG_NAME, 'img').get_attribute('src')
        levels = imread(io.BytesIO(base64.b64decode(url.split(',')[1])))
        return levels if levels.ndim == 2 else levels[..., 0]

    def code(self, view=0):
        return self.js(f'return Array.from(calotype.views[{view}].code)')

    def place(self):
        """Of the dot, from the middle of the map, in pixels of the page."""
        return self.js('''const p = calotype.first.plane;
            const [x, y] = p.toPixel(...p.place);
            return [x / p.density - p.host.clientWidth / 2,
                    y / p.density - p.host.clientHeight / 2]''')

    def decodes(self, act):
        """Acts, and waits until what it led to is shown."""
        before = self.js('return Number(calotype.first.host.dataset.decodes || 0)')
        act()
        self.wait(f'return Number(calotype.first.host.dataset.decodes || 0) > {before}'
                  ' && calotype.first.backend.busy.size === 0')

    def close(self):
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


class PageTest(unittest.TestCase):
    """Tests with a browser, a folder, and the models that make_models() trains there."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.make_models()
        cls.driver = browser()

    @classmethod
    def tearDownClass(cls):
        cls.driver.quit()
        shutil.rmtree(cls.folder)

    @classmethod
    def make_models(cls):
        pass

    def explore(self, *arguments):
        page = Explorer(self.driver, *arguments)
        self.addCleanup(lambda: page.process.poll() is None and page.close())
        return page
