import axe from 'axe-core';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { findChromium } from '../temporal/chromium.ts';

/** A page, with what went wrong in it. */
export interface OpenedPage {
  readonly page: Page;
  /** Errors of scripts, refusals of the content security policy, requests that failed. */
  readonly problems: readonly string[];
  /** Hosts that were asked for anything. */
  readonly hosts: ReadonlySet<string>;
}

export interface TestBrowser {
  /** In a context of its own: with no cookie but the one that the link gives. */
  open(link: string, options?: BrowserContextOptions): Promise<OpenedPage>;
  close(): Promise<void>;
}

export async function launchBrowser(): Promise<TestBrowser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error('No Chromium is installed (Debian: apt-get install chromium).');
  const browser: Browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  return {
    async open(link, options = {}) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
      const page = await context.newPage();
      const [problems, hosts] = [[] as string[], new Set<string>()];
      page.on('console', (message) => {
        if (message.type() === 'error') problems.push(`${message.text()} ${message.location().url}`);
      });
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('request', (request) => hosts.add(new URL(request.url()).host));
      page.on('dialog', (dialog) => {
        problems.push(`dialog: ${dialog.message()}`);
        void dialog.dismiss();
      });
      await page.goto(link);
      await page.locator('h1').waitFor();
      return { page, problems, hosts };
    },
    close: () => browser.close(),
  };
}

/** Violations of WCAG 2.2 AA that axe finds, one line each. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  // Through the debugger: the page's own policy would refuse a script that it did not bring.
  const session = await page.context().newCDPSession(page);
  await session.send('Runtime.evaluate', { expression: axe.source });
  const { result } = await session.send('Runtime.evaluate', {
    expression: `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
      .then(({ violations }) => violations.flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => id + ' at ' + target.join(' ') + ': ' + failureSummary)))`,
    awaitPromise: true,
    returnByValue: true,
  });
  await session.detach();
  return result.value as string[];
}

/** What a step of scrolling takes, in milliseconds. */
export interface ScrollCost {
  /** CPU time of the page's thread, the mean: comparable also on a busy machine. */
  readonly work: number;
  /** From one frame to the next, the longest. */
  readonly longestFrame: number;
}

/** Scrolls an element from its beginning to its end, a page at a step. */
export async function scrollThrough(page: Page, selector: string): Promise<ScrollCost> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const workSoFar = async (): Promise<number> => {
    const { metrics } = await session.send('Performance.getMetrics');
    return 1000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0);
  };
  const before = await workSoFar();
  const { result } = await session.send('Runtime.evaluate', {
    expression: `new Promise((resolve) => {
      const element = document.querySelector(${JSON.stringify(selector)});
      let [longest, steps, before] = [0, 0, undefined];
      const next = (now) => {
        if (before !== undefined) longest = Math.max(longest, now - before);
        before = now;
        if (element.scrollTop + element.clientHeight >= element.scrollHeight - 1) return resolve({ longest, steps });
        element.scrollTop += element.clientHeight;
        steps += 1;
        requestAnimationFrame(next);
      };
      requestAnimationFrame(next);
    })`,
    awaitPromise: true,
    returnByValue: true,
  });
  const { longest, steps } = result.value as { longest: number; steps: number };
  const work = ((await workSoFar()) - before) / Math.max(1, steps);
  await session.detach();
  return { work, longestFrame: longest };
}
