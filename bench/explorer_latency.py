"""How long a hand waits for a picture, and how long a frame of the map takes.

  /usr/bin/python3 bench/explorer_latency.py build/release/tools/calotype MODEL [STORE] [OPTION...]
  /usr/bin/python3 bench/explorer_latency.py PAGE.html

Starts `calotype explore MODEL ...`, or takes a page that --export wrote, opens it in headless
Chromium (python3-selenium, chromium-driver) and prints medians and 95th percentiles: from a new
place of the dot to its picture on the page, and script in a frame that draws all points anew.
"""
import os
import shutil
import signal
import subprocess
import sys

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

PLACES, FRAMES = 100, 100


def quantiles(values):
    values = sorted(values)
    return values[len(values) // 2], values[int(0.95 * (len(values) - 1))]


def main():
    is_page = sys.argv[1].endswith('.html')
    server = None if is_page else subprocess.Popen(
        [sys.argv[1], 'explore', *sys.argv[2:], '--no-open'], stdout=subprocess.PIPE, text=True)
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    for argument in ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic',
                     '--no-first-run', '--disable-background-networking',
                     '--window-size=1500,1000'):
        options.add_argument(argument)
    driver = webdriver.Chrome(service=Service(shutil.which('chromedriver')), options=options)
    driver.set_script_timeout(600)
    try:
        driver.get('file://' + os.path.abspath(sys.argv[1]) if is_page
                   else server.stdout.readline().strip())
        WebDriverWait(driver, 300).until(
            lambda d: d.execute_script('return document.body.dataset.ready === "yes"'))
        waits = driver.execute_async_script("""
            const [count, done] = arguments, view = calotype.first;
            (async () => {
              const waits = [], [x, y] = view.plane.place;
              const reach = view.plane.points.width / view.plane.view.scale / 8;
              for (let i = 0; i < count; ++i) {
                await view.place(x + reach * Math.sin(i), y + reach * Math.cos(i), false);
                waits.push(view.latency_ms);
              }
              done(waits);
            })();""", PLACES)
        frames = driver.execute_async_script("""
            const [count, done] = arguments, {plane} = calotype.first, frames = [];
            const next = () => {
              if (frames.length === count) return done(frames);
              plane.pan(1, 0);
              requestAnimationFrame(() => requestAnimationFrame(() => {
                frames.push(plane.lastFrame_ms);
                next();
              }));
            };
            next();""", FRAMES)
        points = driver.execute_script('return calotype.first.model.set.count')
    finally:
        driver.quit()
        if server:
            server.send_signal(signal.SIGINT)
            server.wait(20)
    print('drag to picture: {:.1f} ms, 95 % below {:.1f}'.format(*quantiles(waits)))
    print('script in a frame of {} points: {:.1f} ms, 95 % below {:.1f}'.format(
        points, *quantiles(frames)))


if __name__ == '__main__':
    main()
