// node.cjs - Node's clients: `node node.cjs NAME`. Run with --tls-keylog; URLs come one per line on stdin.
"use strict";
const { readFileSync } = require("node:fs");
const ca = readFileSync(process.env.CA);
const urls = readFileSync(0, "utf8").trim().split("\n");
const rest = ms => new Promise(r => setTimeout(r, ms));
const modules = process.env.TOOLS + "/npm/node_modules/";
const load = name => require(modules + name);

const clients = {
  async fetch() { for (const u of urls) { await (await fetch(u)).text(); await rest(150); } },
  async https() {
    const https = require("node:https");
    const agent = new https.Agent({ ca, keepAlive: false });
    for (const u of urls) { await new Promise(r => https.get(u, { agent }, a => a.resume().on("end", r)).on("error", r)); await rest(150); }
  },
  async http2() {
    const http2 = require("node:http2");
    const s = http2.connect(process.env.SHOP, { ca });
    for (const u of urls.filter(u => u.startsWith(process.env.SHOP))) {
      await new Promise(r => s.request({ ":path": u.slice(process.env.SHOP.length) }).resume().on("end", r).end());
      await rest(150);
    }
    s.close();
  },
  async undici() {
    const { Agent, request } = load("undici");
    const dispatcher = new Agent({ connect: { ca }, allowH2: true });
    await Promise.all(urls.map(async u => (await request(u, { dispatcher })).body.text()));
  },
  async axios() {
    const axios = load("axios");
    const httpsAgent = new (require("node:https").Agent)({ ca, keepAlive: true });
    for (const u of urls) { await axios.get(u, { httpsAgent, validateStatus: () => true }); await rest(150); }
  },
  async got() {
    const { got } = await import(modules + "got/dist/source/index.js");
    for (const u of urls) { await got(u, { http2: true, https: { certificateAuthority: ca }, throwHttpErrors: false }); await rest(150); }
  },
  async impit(browser) {
    const { Impit } = load("impit");
    const c = new Impit({ browser, ignoreTlsErrors: true });
    for (const u of urls) { await (await c.fetch(u)).text(); await rest(300); }
  },
  async playwright() {
    const { chromium } = load("playwright-core");
    const b = await chromium.launch({ executablePath: "/usr/lib/chromium/chromium", args: flags });
    const page = await (await b.newContext({ ignoreHTTPSErrors: true })).newPage();
    for (const u of urls) await page.goto(u).catch(() => {});
    await b.close();
  },
  async puppeteer() {
    const puppeteer = await import(modules + "puppeteer-core/lib/puppeteer/puppeteer-core.js").catch(() => load("puppeteer-core"));
    const b = await (puppeteer.default || puppeteer).launch({ executablePath: "/usr/lib/chromium/chromium", args: flags, acceptInsecureCerts: true, headless: true });
    const page = await b.newPage();
    await page.setUserAgent({ userAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36" });
    for (const u of urls) { await page.goto(u).catch(() => {}); await rest(100); }
    await b.close();
  },
};
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update",
  "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE shop.example , EXCLUDE blog.example"];
const [name, ...args] = process.argv.slice(2);
clients[name](...args).catch(e => { console.error(e); process.exitCode = 1; });
