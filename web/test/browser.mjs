// What the tests of the page share: pages written by the command, and a browser to open them in.
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const command = process.env.IOLITE_COMMAND;
const browsers = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

// 77 is what ctest takes for a skip.
function skip(why) {
  console.log(`SKIPPED: ${why}`);
  process.exit(77);
}

export const executable = process.env.CHROMIUM ?? browsers.find((path) => existsSync(path));
if (!executable) skip("no chromium; Debian: apt-get install chromium");
if (!command) skip("IOLITE_COMMAND does not name the command");
const { chromium } = await import("playwright-core").catch(() =>
  skip("no playwright-core: configure with -DIOLITE_WEB_TESTS=ON"),
);

export const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const folder = mkdtempSync(join(tmpdir(), "iolite-page-"));
const run = promisify(execFile);

export async function report(name, ...words) {
  const path = join(folder, `${name}.html`);
  await run(command, [...words, "--report", path], { timeout: 60_000 });
  return path;
}

// A load on an echo service of its own.
export async function benchReport(...words) {
  const server = spawn(command, ["serve", "echo", "--listen", "127.0.0.1:0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const line = await new Promise((ready) => server.stdout.once("data", (data) => ready(String(data))));
    return await report("bench", "bench", /listening on (\S+)/.exec(line)[1], ...words);
  } finally {
    server.kill("SIGTERM");
  }
}

const holder = /(<script type="application\/json" id="data">)(.*?)(<\/script>)/s;

export const dataOf = (path) => JSON.parse(holder.exec(readFileSync(path, "utf8"))[2]);

// A page as the command would have written it for other data.
export function pageOf(like, name, data) {
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  const path = join(folder, `${name}.html`);
  writeFileSync(
    path,
    readFileSync(like, "utf8").replace(holder, (_, begin, __, end) => begin + json + end),
  );
  return path;
}

let browser;
export async function launch() {
  browser = await chromium.launch({ executablePath: executable, args: ["--no-sandbox"] });
}
export async function end() {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
}

// Opens a page, and keeps what it complains about and what it asks the network for.
export async function open(path, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    const url = request.url();
    if (url !== `file://${path}` && !/^(data|blob):/.test(url)) complaints.push(`asked for ${url}`);
  });
  await page.goto(`file://${path}`);
  await page.waitForSelector("h1");
  return { page, complaints, close: () => context.close() };
}
