// The page as a reader meets it, in headless Chromium: `ctest -R web.page`.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { after, before, test } from "node:test";
import { axe, benchReport, dataOf, end, launch, open, pageOf, report } from "./browser.mjs";
import { harm, harmful, manyModels } from "./data.mjs";

const pages = {};

before(async () => {
  await launch();
  pages.trace = await report("trace", "trace", "--rounds", "3", "--delay", "3ms");
  pages.sizes = await report("sizes", "trace", "--sizes", "--rounds", "2", "--models", "blocking,posix_aio");
  pages.compare = await report("compare", "compare", "--models", "poll,epoll", "--rounds", "2",
    "--duration", "100ms");
  pages.bench = await benchReport("--requests", "5000");
  pages.many = pageOf(pages.trace, "many", { ...dataOf(pages.trace), command: "compare", result: manyModels() });
});
after(end);

async function violations(page) {
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ").slice(0, 400)}`);
}

// axe is not a part of the page, and its policy refuses scripts that are not.
const openForAxe = (path, options) => open(path, { bypassCSP: true, ...options });

for (const name of ["trace", "sizes", "compare", "bench", "many"]) {
  test(`${name}: light and dark, wide and narrow: no complaint, accessible, no sideways scrolling`, async () => {
    const { page, complaints, close } = await openForAxe(pages[name]);
    await page.evaluate(axe);
    for (const colorScheme of ["light", "dark"])
      for (const width of [1200, 400]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 900 });
        assert.deepEqual(await violations(page), [], `${colorScheme}, ${width} px`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= width, `${wide} px wide`);
      }
    assert.deepEqual(complaints, []);
    await close();
  });

  test(`${name}: under 300 KiB, and nothing but itself is asked for under its own policy`, async () => {
    assert.ok(statSync(pages[name]).size < 300 * 1024);
    const { page, complaints, close } = await open(pages[name]);
    for (const summary of await page.locator("summary").all()) await summary.click();
    for (const button of await page.locator("thead button").all()) await button.click();
    for (const entry of await page.locator(".legend button").all()) await entry.click();
    assert.deepEqual(complaints, []);
    assert.match(await page.locator(".summary").innerText(), /\w+ .*\.$/);
    await close();
  });

  test(`${name}: the data is the command's JSON`, async () => {
    const { page, close } = await open(pages[name]);
    await page.locator("summary", { hasText: "Show it" }).click();
    await page.locator("pre", { hasText: /\S/ }).waitFor();  // it is filled once it is unfolded
    const shown = JSON.parse(await page.locator("pre").textContent());
    assert.deepEqual(shown, dataOf(pages[name]).result);
    await close();
  });
}

test("a click on a head sorts by it, a second one the other way, and the keyboard does the same", async () => {
  const { page, close } = await open(pages.many);
  const head = page.locator("thead th", { hasText: "Requests/s" }).first();
  const number = (text) => Number(text.replaceAll(",", ""));
  const rates = async () =>
    (await page.locator("section").first().locator("tbody tr td:nth-child(2)").allInnerTexts()).map(number);
  await head.locator("button").click();
  assert.equal(await head.getAttribute("aria-sort"), "ascending");
  const up = await rates();
  const known = up.filter((rate) => !Number.isNaN(rate));
  assert.equal(known.length, 11);
  assert.deepEqual(known, [...known].sort((a, b) => a - b));
  assert.ok(Number.isNaN(up.at(-1)), "a model without figures comes last");
  await head.locator("button").press("Enter");
  assert.equal(await head.getAttribute("aria-sort"), "descending");
  const down = await rates();
  assert.deepEqual(down.slice(0, 11), [...known].reverse());
  assert.ok(Number.isNaN(down.at(-1)), "and last the other way, too");
  assert.equal(await page.locator("thead th[aria-sort]").count(), 1);
  await close();
});

test("a stretch of the figure explains itself to the pointer and to the keyboard", async () => {
  const { page, close } = await open(pages.trace);
  const said = page.locator("[role=status]");
  const before = await said.innerText();
  await page.locator(".phases .stretch.s-copying").first().hover();
  const copying = await said.innerText();
  assert.match(copying, /copies the data by a system call of its own/);
  assert.notEqual(copying, before);
  await page.locator(".phases .stretch[tabindex='0']").focus();
  const first = await said.innerText();
  assert.match(first, /phase 1: for .* before the data arrives/);
  await page.keyboard.press("ArrowRight");
  const second = await said.innerText();
  assert.match(second, /after the arrival/);
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), second);
  assert.equal(await page.locator(".phases .stretch[tabindex='0']").count(), 1);
  await close();
});

test("the figure has what the JSON has: each stretch of each model", async () => {
  const { page, close } = await open(pages.trace);
  const models = dataOf(pages.trace).result.models.filter(({ t4_us }) => t4_us !== null);
  const stretches = models.flatMap((model) => model.stretches);
  const lanes = models.reduce((sum, model) => sum + new Set(model.stretches.map(({ lane }) => lane)).size, 0);
  assert.ok(stretches.length > 0);
  assert.equal(await page.locator(".phases .stretch").count(), stretches.length + lanes);
  await close();
});

test("the charts are drawn, say their figures, and a line can be left out", async () => {
  const { page, close } = await open(pages.many);
  const charts = page.locator(".plot canvas");
  assert.equal(await charts.count(), 2);
  const drawn = () =>
    charts.first().evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.reduce((sum, value, at) => sum + (at % 4 === 3 && value > 0 ? 1 : 0), 0);
    });
  const all = await drawn();
  assert.ok(all > 1000);
  const plot = page.locator(".plot").first();
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.waitForFunction(() => /epoll\/shared/.test(document.querySelector("figure .said").textContent));
  const entry = page.locator(".legend.lines button").first();
  await entry.click();
  assert.equal(await entry.getAttribute("aria-pressed"), "false");
  await page.mouse.move(0, 0);
  await page.waitForFunction((all) => {
    const canvas = document.querySelector(".plot canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.reduce((sum, value, at) => sum + (at % 4 === 3 && value > 0 ? 1 : 0), 0) < all;
  }, all);
  await close();
});

test("dark: light ink on dark paper; on paper: dark ink on white, whatever the screen has", async () => {
  const { page, close } = await open(pages.many, { colorScheme: "dark" });
  const colours = () =>
    page.evaluate(() => {
      const { color, backgroundColor } = getComputedStyle(document.body);
      return [color, backgroundColor].map((rgb) => Number(/\d+/.exec(rgb)[0]));
    });
  const [ink, paper] = await colours();
  assert.ok(ink > 200 && paper < 40, `${ink} on ${paper}`);
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  const [printedInk, printedPaper] = await colours();
  assert.ok(printedInk < 60 && printedPaper > 240, `${printedInk} on ${printedPaper}`);
  assert.equal(await page.locator(".action").isVisible(), false);
  const pdf = await page.pdf({ format: "A4" });
  assert.equal(pdf.subarray(0, 5).toString(), "%PDF-");
  await close();
});

test("the summary of a comparison names ties, and what is really behind", async () => {
  const data = dataOf(pages.many);
  const rows = data.result.rows.slice(0, 3);
  const bounds = [[9, 9.1, 9.3], [9.25, 9.3, 9.4], [9.5, 9.9, 10]];
  bounds.forEach((interval, at) => {
    rows[at] = { ...rows[at], cpu_us_interval: interval };
    rows[at].server = { ...rows[at].server, cpu_us_per_request: interval[1] };
  });
  const { page, close } = await open(pageOf(pages.trace, "ties", { ...data, result: rows }));
  assert.equal(
    await page.locator(".summary").innerText(),
    "blocking/thread used the least processor time of the server: 9.10 µs a request; no difference was seen to " +
      "blocking/process. Next is blocking/pool, which took 9 % more.",
  );
  await close();
  // Without intervals the spread decides: 3 per cent of 9 microseconds.
  const spread = data.result.rows.slice(0, 3);
  const other = await open(pageOf(pages.trace, "spread", { ...data, result: spread }));
  assert.match(
    await other.page.locator(".summary").innerText(),
    /no difference was seen to blocking\/process\. Next is blocking\/pool, which took 6 % more\.$/,
  );
  await other.close();
});

test("a search for a rate is drawn, and a busy load generator is named", async () => {
  const data = dataOf(pages.bench);
  const trials = [10_000, 40_000, 20_000].map((rate) => ({ rate, met: rate < 30_000, p50: 80, p99: rate / 50 }));
  const result = { ...data.result, client: { was_bottleneck: true }, slo: { objective: "p99=5ms", rate: 20_000, trials } };
  const { page, close } = await open(pageOf(pages.trace, "search", { ...data, result }));
  assert.match(await page.locator("body").innerText(), /p99=5ms: 20,000 a second is the highest that meets it/);
  assert.match(await page.locator(".summary").innerText(), /The load generator was the bottleneck\.$/);
  assert.equal(await page.locator(".plot canvas").count(), 2);
  await close();
});

test("strings that mean harm are shown as text", async () => {
  for (const name of ["trace", "many", "bench"]) {
    const path = pageOf(pages[name], `${name}-harm`, harmful(dataOf(pages[name])));
    // Without its policy: the page itself makes no markup of them.
    const { page, complaints, close } = await open(path, { bypassCSP: true });
    assert.equal(await page.evaluate(() => window.harmed), undefined);
    assert.equal(await page.locator("img, td b, script:not([type])").count(), 0);
    assert.ok((await page.locator("body").innerText()).includes(harm.slice(0, 30)), name);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 1200, `${wide} px wide`);
    assert.deepEqual(complaints, []);
    await close();
  }
});

test("what is missing is left out", async () => {
  const data = dataOf(pages.trace);
  for (const [name, result] of [["nothing", null], ["empty", {}], ["odd", { models: [null, 7, { model: [] }] }]]) {
    for (const command of ["trace", "compare", "bench", "other"]) {
      const path = pageOf(pages.trace, `${name}-${command}`, { ...data, command, result });
      const { page, complaints, close } = await open(path);
      assert.equal(await page.locator("h2", { hasText: "Data" }).count(), 1);
      assert.deepEqual(complaints, []);
      await close();
    }
  }
});
