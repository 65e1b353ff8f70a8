// Drives the gallery in Chromium; see README.md. Every check is one line, a failed one ends with 1.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const BROWSER = process.env.JUKINET_CHROMIUM ?? "/usr/bin/chromium";
const GALLERY = process.env.JUKINET_GALLERY ?? "target/debug/examples/gallery";
const SCREENS = process.env.JUKINET_SCREENS;
const PORT = Number(process.env.JUKINET_PORT ?? 18801);
const PAGE_BYTES_MAX = 60 * 1024;
const ADDRESS = "東京都国立市富士見台二丁目四十七番地の一";
const SECRETS = ["試験　花子", "試験 花子", "しけん", "富士見台二丁目", "見本", "日本年金機構が、年金"];
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];

let failed = 0;
const check = (name, ok, detail = "") => {
  console.log(`${ok ? "ok  " : "FAIL"} ${name}${ok || !detail ? "" : `\n     ${detail}`}`);
  if (!ok) failed += 1;
};
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// Gallery
const gallery = spawn(GALLERY, [String(PORT)], { stdio: ["pipe", "pipe", "inherit"] });
const starts = {};
let answer = () => {};
await new Promise((ready, broken) => {
  let text = "";
  gallery.on("exit", () => broken(new Error("the gallery ended")));
  gallery.stdout.on("data", (data) => {
    text += data;
    for (const line of text.split("\n").slice(0, -1)) {
      const start = line.match(/^(\w+) (http:\S+)$/);
      if (start) starts[start[1]] = start[2];
      if (line.startsWith("ready")) ready();
      if (line.startsWith("ok ")) answer(line);
    }
    text = text.slice(text.lastIndexOf("\n") + 1);
  });
});
const tell = (words) => new Promise((done) => { answer = done; gallery.stdin.write(`${words}\n`); });
const [CLERK, DISCLOSURE] = [PORT, PORT + 1];

// A valid record code: the same check digit as crate law (weights 2..7, 2..5 from the right).
const residentCode = (ten) => {
  const weights = [2, 3, 4, 5, 6, 7, 2, 3, 4, 5];
  const sum = [...ten].reverse().reduce((sum, digit, at) => sum + Number(digit) * weights[at], 0);
  const rest = 11 - (sum % 11);
  return ten + String(rest >= 10 ? 0 : rest);
};

// Browser
const profile = mkdtempSync(join(tmpdir(), "jukinet-desk-"));
const offOrigin = [], errors = [];
const launch = async (options = {}) => {
  const context = await chromium.launchPersistentContext(options.profile ?? profile, {
    executablePath: BROWSER, headless: true, args: ARGS, viewport: { width: 1360, height: 860 },
    locale: "ja-JP", javaScriptEnabled: options.js ?? true, bypassCSP: false, ...options.more });
  context.on("request", (request) => {
    if (!/^http:\/\/127\.0\.0\.1:/.test(request.url())) offOrigin.push(request.url());
  });
  const page = context.pages()[0] ?? await context.newPage();
  page.setDefaultTimeout(15000);
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/status of (403|404|410)/.test(message.text())) errors.push(message.text());
  });
  return { context, page };
};
const shot = async (page, name) => {
  if (!SCREENS) return;
  mkdirSync(SCREENS, { recursive: true });
  const size = page.viewportSize();
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width: size.width, height: Math.max(size.height, height) });
  await page.screenshot({ path: join(SCREENS, `${name}.png`) });
  await page.setViewportSize(size);
};
const axe = async (page, name) => {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const text = found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join(" | ")}`);
  check(`axe: ${name}`, text.length === 0, text.join("\n     "));
};
const has = async (page, text) => (await page.locator("body").innerText()).includes(text);
const language = async (page, lang) => {
  if (await page.locator("html").getAttribute("lang") === lang) return;
  await Promise.all([page.waitForURL(/.*/), page.locator(".jk-lang").click()]);
  await page.waitForSelector(`html[lang=${lang}]`);
};
const look = async (page, name) => {
  for (const lang of ["en", "ja"]) {
    await language(page, lang);
    await axe(page, `${name} (${lang})`);
    await shot(page, `${name}-${lang}`);
  }
};
// The PIN field gets the focus by itself, a moment after the page has loaded.
const pin = async (page) => {
  await page.waitForSelector("#pin:focus");
  await page.keyboard.type("2468");
};
const enter = async (page, start) => {
  await page.goto(start);
  check("the start token leaves the address", new URL(page.url()).search === "");
  await pin(page);
  await page.keyboard.press("F9");
  await page.waitForSelector("body[data-watch=session]");
};
const meter = (page) => page.locator("#jk-meter").innerText();
const meterSays = async (page, text) => {
  for (let at = 0; at < 40; at += 1) {
    if ((await meter(page)).includes(text)) return true;
    await sleep(100);
  }
  return false;
};

const clerk = async () => {
  const { context, page } = await launch();
  await page.goto(starts.Clerk);
  await look(page, "1-login");
  await page.locator("#pin").focus();
  await page.keyboard.type("1111");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".jk-refusal");
  check("a wrong PIN says how many tries are left", await has(page, "あと 2 回です。"));
  await axe(page, "wrong PIN");
  await shot(page, "1-login-wrong-ja");
  await pin(page);
  await page.keyboard.press("Enter");
  await page.waitForURL(/inquiry$/);
  await look(page, "2-inquiry-empty");

  // Keyboard only from here on.
  await page.reload();
  check("focus is in the first empty field", await page.evaluate(() => document.activeElement.id) === "affair");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  check("Enter goes to the next field", await page.evaluate(() => document.activeElement.id) === "case_number");
  await page.keyboard.type("令8-117");
  await page.keyboard.press("Enter");
  await page.keyboard.type("試験 花子");
  await page.keyboard.press("Enter");
  await page.keyboard.type("東京都国立市");
  check("the meter says what is missing while typing", await meterSays(page, "住所の残り全部"));
  await shot(page, "2-inquiry-short-ja");
  await axe(page, "inquiry, half filled");
  await page.keyboard.type("富士見台二丁目四十七番地の一");
  check("the meter says when it is complete", await meterSays(page, "照会できます"));
  check("the promise stands before the question", await has(page, "本人が見ることができます"));
  await look(page, "3-inquiry-ready");
  check("the language keeps what was typed", await page.locator("#address").inputValue() === ADDRESS);
  await page.locator("#address").focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/q\/[0-9a-f]{32}$/);
  check("the result names the person", await has(page, "試験　花子"));
  check("the code is covered", !(await page.locator(".jk-open").first().isVisible()));
  await shot(page, "4-result-covered-ja");
  await page.keyboard.press("F6");
  check("F6 shows the code", await page.locator(".jk-open").first().isVisible());
  await look(page, "4-result");
  check("nobody stands in address or title", !SECRETS.some((s) => decodeURI(page.url()).includes(s)));

  // After its minute the result is gone; the script's timer is not waited for.
  await tell(`${CLERK} advance 61000`);
  await page.reload();
  check("after a minute the values are gone", !(await has(page, "花子")));
  await look(page, "5-hidden");
  await page.keyboard.press("F9");
  await page.waitForSelector(".jk-person");
  await page.clock.install();
  await page.reload();
  await tell(`${CLERK} advance 61000`);
  await page.clock.fastForward(61000);
  await page.waitForSelector(".jk-curtain");
  check("the page's own timer hides them, too", !(await has(page, "花子")));

  await page.keyboard.press("Escape");
  await page.waitForURL(/inquiry$/);
  check("Esc goes back and keeps the text", await page.locator("#name").inputValue() === "試験 花子");
  await context.close();

  await refusals();
};

const refusals = async () => {
  const { context, page } = await launch();
  await restart(page);
  await page.selectOption("#affair", "4-2-1");
  await page.fill("#case_number", "令8-118");
  await page.fill("#name", "佐");
  await page.fill("#address", ADDRESS);
  await page.check("input[name=prefix]");
  await page.keyboard.press("F9");
  await page.waitForSelector(".jk-refusal");
  check("a refusal says rule, law and what to do", await has(page, "more-than-50") && await has(page, "S1"));
  await look(page, "6-refused");
  await page.keyboard.press("F2");
  await page.waitForURL(/inquiry$/);
  await page.fill("#case_number", "令8-119");
  await page.fill("#name", "見");
  await page.fill("#address", ADDRESS);
  await page.check("input[name=prefix]");
  await page.keyboard.press("F9");
  await page.waitForSelector(".jk-person");
  await look(page, "7-result-three");
  await page.keyboard.press("F2");
  await page.fill("#case_number", "令8-120");
  await page.fill("#name", "不在 太郎");
  await page.fill("#address", ADDRESS);
  await page.keyboard.press("F9");
  await page.waitForSelector(".jk-none");
  await look(page, "8-result-none");
  await page.goto(`http://127.0.0.1:${CLERK}/help`);
  await look(page, "9-help");

  // Narrow and zoomed: 1360 px at 200 % is a window of 680 px.
  await page.goto(`http://127.0.0.1:${CLERK}/inquiry`);
  await page.setViewportSize({ width: 680, height: 860 });
  check("200 % zoom needs no sideways scrolling", await page.evaluate(() =>
    document.documentElement.scrollWidth <= document.documentElement.clientWidth));
  await shot(page, "3-inquiry-zoom-ja");
  await page.setViewportSize({ width: 1360, height: 860 });
  await page.emulateMedia({ forcedColors: "active" });
  await shot(page, "3-inquiry-forced-ja");
  await page.emulateMedia({ forcedColors: "none" });

  // A form sent after its session died: the refusal has its own address, or the browser would keep
  // the posted name beside the page.
  await page.fill("#name", "試験 花子");
  await context.clearCookies();
  await page.click("button[value=ask]:not([data-key])");
  await page.waitForURL(/refused\/desk-session$/);
  await axe(page, "session gone");
  await restart(page);

  // Card out: blank within a second, and the answer of the server is the ended page.
  const cookies = async () => (await context.cookies()).map((cookie) => cookie.value);
  const known = await cookies();
  await tell(`${CLERK} card out`);
  const before = Date.now();
  await page.waitForSelector(".jk-ended");
  check("card out ends the page within a second", Date.now() - before <= 1000, `${Date.now() - before} ms`);
  await axe(page, "ended (ja)");
  await shot(page, "0-ended-ja");
  check("the cookies of the session are gone", !(await cookies()).some((value) => known.includes(value)));
  check("the reason is said and no token stays", await has(page, "カードが抜かれた") && new URL(page.url()).search === "");
  await tell(`${CLERK} card in`);
  await page.waitForSelector("#pin:enabled");
  await page.reload();
  check("the next person can start", await page.locator("#pin").isEnabled());
  await context.close();
};

// A new browser needs a new token: the session cookie is gone with the one before.
const restart = async (page) => {
  const line = await tell(`${CLERK} token`);
  await enter(page, `http://127.0.0.1:${CLERK}/?t=${line.match(/token=(\S+)/)[1]}`);
};

const disclosure = async () => {
  const { context, page } = await launch();
  await enter(page, starts.Disclosure);
  await look(page, "10-disclosure");
  await page.locator("input[name=identified_by]").first().focus();
  await page.keyboard.press("Space");
  await page.keyboard.press("Enter");
  check("Enter leads from the radio to the code", await page.evaluate(() => document.activeElement.id) === "code");
  await page.keyboard.type(residentCode("1234567890"));
  await page.keyboard.press("Enter");
  await page.waitForSelector(".jk-timeline");
  check("each entry carries its mark", await page.locator(".jk-proven-ok").count() === 5);
  await look(page, "11-timeline");
  await page.locator(".jk-proof summary").nth(1).focus();
  await page.keyboard.press("Enter");
  await page.locator(".jk-question summary").nth(1).focus();
  await page.keyboard.press("Enter");
  await axe(page, "timeline, opened");
  await shot(page, "11-timeline-open-ja");
  await page.emulateMedia({ media: "print" });
  await shot(page, "11-timeline-print-ja");
  await page.emulateMedia({ media: "screen" });
  await page.keyboard.press("F3");
  await page.waitForURL(/disclosure$/);
  await page.locator("input[name=identified_by]").first().check();
  await page.fill("#code", residentCode("2345678901"));
  await page.keyboard.press("F9");
  await page.waitForSelector(".jk-cover");
  check("nothing happened is said", await has(page, "だれにも提供されていません"));
  await look(page, "12-timeline-none");
  await page.keyboard.press("F12");
  await page.waitForSelector(".jk-ended");
  await context.close();
};

const network = async () => {
  const { context, page } = await launch();
  await enter(page, starts.NetworkRoom);
  await look(page, "13-network");
  const first = await page.locator(".jk-tile-wide").innerText();
  await page.locator(".jk-twin summary").focus();
  await page.keyboard.press("Enter");
  await axe(page, "network with table");
  await shot(page, "13-network-table-ja");
  await page.waitForFunction((text) => document.querySelector(".jk-tile-wide").innerText !== text, first);
  check("the map refreshes by itself and keeps the table open", await page.locator(".jk-twin").evaluate((d) => d.open));
  await page.setViewportSize({ width: 680, height: 860 });
  await shot(page, "13-network-zoom-ja");
  await context.close();
};

const withoutScript = async () => {
  const own = mkdtempSync(join(tmpdir(), "jukinet-desk-nojs-"));
  const { context, page } = await launch({ js: false, profile: own });
  const line = await tell(`${CLERK} token`);
  await page.goto(`http://127.0.0.1:${CLERK}/?t=${line.match(/token=(\S+)/)[1]}`);
  await pin(page);
  await page.keyboard.press("Enter");
  await page.waitForURL(/inquiry$/);
  await page.selectOption("#affair", "4-2-1");
  await page.fill("#case_number", "令8-121");
  await page.fill("#name", "試験 花子");
  await page.fill("#address", "東京都国立市");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".jk-lacking.jk-selected");
  check("without script: Enter checks, it does not ask", await has(page, "住所の残り全部"));
  await page.check("#mode-name-birth");
  check("without script: the tabs show their fields", await page.locator("#birth").isVisible() && !(await page.locator("#address").isVisible()));
  await page.fill("#birth", "昭60-4-1");
  await shot(page, "14-nojs-birth-ja");
  await page.click("button[value=ask]:not([data-key])");
  await page.waitForSelector(".jk-person");
  check("without script: a result", await has(page, "試験　花子"));
  await page.locator(".jk-code summary").click();
  check("without script: the code can be shown", await page.locator(".jk-open").isVisible());
  await page.click("[data-key=F12]");
  await page.waitForSelector(".jk-ended");
  await page.waitForSelector("#pin");
  check("without script: the end and a new start", true);
  await context.close();
  return own;
};

const sizes = async () => {
  const asset = async (name) => Buffer.from(await (await fetch(`http://127.0.0.1:${CLERK}/assets/${name}`)).arrayBuffer());
  const css = await asset("desk.css"), js = await asset("desk.js");
  const golden = readFileSync(new URL("../../golden/network.html", import.meta.url));
  check("own script is 10 KB at most", js.length <= 10 * 1024, `${js.length}`);
  const page = gzipSync(css).length + gzipSync(golden).length;
  check("HTML and CSS are 60 KB at most", page <= PAGE_BYTES_MAX, `${page}`);
};

const files = (folder) => readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
  const path = join(folder, entry.name);
  return entry.isDirectory() ? files(path) : entry.isFile() ? [path] : [];
});
const left = (folder) => {
  const texts = [...SECRETS, residentCode("1234567890"), residentCode("2345678901")];
  const secrets = texts.flatMap((text) => [...new Set([text, encodeURIComponent(text)])].flatMap((form) =>
    [Buffer.from(form, "utf8"), Buffer.from(form, "utf16le")].map((bytes) => ({ form, bytes }))));
  const all = files(folder);
  const hits = all.flatMap((path) => {
    const bytes = readFileSync(path);
    return secrets.filter((s) => bytes.includes(s.bytes)).map((s) => `${path}: ${s.form}`);
  });
  check(`the browser profile holds no name, address or code (${all.length} files)`, all.length > 0 && hits.length === 0, hits.join("\n     "));
};

try {
  await clerk();
  await disclosure();
  await network();
  const other = await withoutScript();
  await sizes();
  await sleep(300);
  left(profile);
  left(other);
  rmSync(other, { recursive: true, force: true });
  check("no request left this origin", offOrigin.length === 0, offOrigin.join(" "));
  check("no page error and no broken policy", errors.length === 0, errors.join("\n     "));
} catch (error) {
  check("the run came to its end", false, error.stack);
} finally {
  gallery.kill();
  rmSync(profile, { recursive: true, force: true });
}
console.log(failed ? `${failed} checks failed` : "all checks held");
process.exit(failed ? 1 : 0);
