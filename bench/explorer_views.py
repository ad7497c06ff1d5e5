"""Pictures of the explorer's views, as docs/explorer.md shows them.

  /usr/bin/python3 bench/explorer_views.py build/release/tools/calotype DEMO TOKENIZER OUT

DEMO is what `calotype demo` left, TOKENIZER a VQModel's run. Each view is opened in headless Chromium
(python3-selenium, chromium-driver), driven as a hand would, and written to OUT/explorer_*.svg: SVG
around WebP, so that no binary file is needed.
"""
import base64
import io
import os
import pathlib
import shutil
import signal
import subprocess
import sys

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

QUALITY = 60  # of WebP


def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    for argument in ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic',
                     '--no-first-run', '--disable-background-networking',
                     '--hide-scrollbars', '--window-size=1240,1500'):
        options.add_argument(argument)
    driver = webdriver.Chrome(service=Service(shutil.which('chromedriver')), options=options)
    driver.set_script_timeout(600)
    return driver


class View:
    """One page that the program serves, to be driven by script."""

    def __init__(self, driver, program, *arguments):
        self.driver = driver
        self.server = subprocess.Popen([program, 'explore', *map(str, arguments), '--no-open',
                                        '--quiet'], stdout=subprocess.PIPE, text=True)
        self.address = self.server.stdout.readline().strip()
        self.open('')

    def open(self, fragment):
        self.driver.get('about:blank')
        self.driver.get(self.address + fragment)
        self.wait('document.body.dataset.ready === "yes"')

    def wait(self, condition):
        WebDriverWait(self.driver, 600, 0.1).until(
            lambda driver: driver.execute_script(f'return {condition}'))

    def do(self, script):
        self.driver.execute_async_script(
            'const done = arguments[0]; (async () => {' + script + '})().then(() => done());')
        self.driver.execute_async_script('setTimeout(arguments[0], 600);')

    def save(self, selector, path):
        """The part of the page that `selector` names, as an SVG."""
        element = self.driver.find_element('css selector', selector)
        picture = Image.open(io.BytesIO(element.screenshot_as_png)).convert('RGB')
        webp = io.BytesIO()
        picture.save(webp, 'WEBP', quality=QUALITY, method=6)
        width, height = picture.size
        text = base64.b64encode(webp.getvalue()).decode()
        path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
                        f'width="{width}" height="{height}">\n<image width="{width}" '
                        f'height="{height}" href="data:image/webp;base64,{text}"/>\n</svg>\n')
        print(f'{path} {width}x{height} {path.stat().st_size // 1024} KiB')

    def close(self):
        self.server.send_signal(signal.SIGINT)
        self.server.wait(20)


# Leaves open only what a view is about.
ONLY = '''
    for (const part of ['drawer', 'tokens', 'between', 'numbers', 'directions'])
      calotype.first.part(part).parentElement.open = %s.includes(part);
'''


def numbers(view, out):
    view.do(ONLY % "['numbers', 'directions', 'between']" + '''
        const view = calotype.first, {between} = calotype.panels.get(view);
        const {typical} = view.model.set;
        await calotype.row(view, typical[9 % typical.length]);
        between.pin('B');
        await calotype.row(view, typical[0]);
        between.pin('A');
        view.part('directions').querySelector('button')?.click();
        await new Promise((done) => setTimeout(done, 1500));''')
    view.save('article', out / 'explorer_numbers.svg')


def tokens(view, out):
    view.do(ONLY % "['tokens']" + '''
        const view = calotype.first;
        await calotype.row(view, view.model.set.typical[5 % view.model.set.typical.length]);''')
    view.save('article', out / 'explorer_tokens.svg')


def drawing(view, out):
    view.do(ONLY % "['drawer']" + '''
        const view = calotype.first, {drawer} = calotype.panels.get(view);
        drawer.named('class').value = view.model.diffusion.classes[8];
        drawer.named('seed').value = 3;
        await drawer.draw();
        drawer.named('to_seed').value = 5;
        await drawer.walk();''')
    view.save('article', out / 'explorer_drawing.svg')


def toy(view, out):
    view.open('#set=moons&member=denoising&numbers=1')
    view.wait('toy.model.losses.length > 4000')
    view.save('body', out / 'explorer_toy.svg')


def main():
    program, demo, tokenizer, out = (pathlib.Path(name) for name in sys.argv[1:])
    program = os.path.abspath(program)
    test = ['--data', 'fashion-mnist:test']
    views = [(numbers, [demo / 'vae', *test]), (tokens, [tokenizer, *test]),
             (drawing, [demo / 'diffusion', *test]), (toy, ['--toy'])]
    driver = browser()
    try:
        for save, arguments in views:
            view = View(driver, program, *arguments)
            try:
                save(view, out)
            finally:
                view.close()
    finally:
        driver.quit()


if __name__ == '__main__':
    main()
