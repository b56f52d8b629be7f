// SPDX-License-Identifier: BSD-3-Clause
// The WIC page in headless Chromium: anonymous registration, refresh, reload, de-registration, end;
// then, with ACCOUNT and PASSWORD, the same by log-in and once with a wrong password. A violation
// of the page's CSP or SRI, or any uncaught error, fails the run. Settings: common.js, and
//   CHROMIUM /usr/bin/chromium   SCREENSHOT prefix of PNG files
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const { chromium } = require('playwright-core');
const { settings, step, hold, within, main } = require('./common');

const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync',
	'--ignore-certificate-errors'];

async function shoot(page, name) {
	if (process.env.SCREENSHOT)
		await page.screenshot({ path: `${process.env.SCREENSHOT}${name}.png` });
}

function state(page) {
	return page.evaluate(() => ({ ...document.body.dataset }));
}

// Waits for body[data-KEY=value] of each wanted pair.
async function until(page, wanted) {
	try {
		await page.waitForFunction((w) => Object.entries(w).every(
			([k, v]) => document.body.dataset[k] === String(v)), wanted,
		{ timeout: settings.timeoutMs });
	} catch (e) {
		throw new Error(`wanted ${JSON.stringify(wanted)}, page has ${JSON.stringify(await state(page))}: `
			+ e.message.split('\n')[0]);
	}
	return state(page);
}

// From a page that shows a registration to the end of its session.
async function cycle(page, who) {
	const first = await until(page, { state: 'registered', registrations: 1 });
	if (!(Number(first.granted) > 0))
		throw new Error(`registered without a granted time: ${JSON.stringify(first)}`);
	step(`${who} registered`, { impu: first.impu, granted: Number(first.granted) });
	await hold();
	await shoot(page, `${who}-registered`);

	await page.click('#register');
	step(`${who} refreshed`, { granted: Number(
		(await until(page, { state: 'registered', registrations: 2 })).granted) });

	await page.reload();
	step(`${who} registered after reload`, { impu: (await until(page,
		{ state: 'registered', registrations: 1, impu: first.impu })).impu });

	await page.click('#deregister');
	await until(page, { state: 'unregistered' });
	step(`${who} unregistered`);
	await shoot(page, `${who}-unregistered`);

	await page.click('#end');
	await until(page, { state: 'ended', trouble: '' });
	step(`${who} ended`);
}

async function logIn(page, account, password) {
	await page.fill('#account', account);
	await page.fill('#password', password);
	await page.click('#submit');
}

async function drive(context) {
	const page = context.pages()[0] || await context.newPage();
	const broken = [];

	page.setDefaultTimeout(settings.timeoutMs);
	page.on('pageerror', (e) => broken.push(e.message));
	page.on('console', (m) => {
		// Chromium reports refused requests here too; a wrong password is one of them.
		if (m.type() === 'error' && !/status of 40[19]/.test(m.text()))
			broken.push(m.text());
	});

	const res = await page.goto(settings.gateway);
	if (res.status() !== 200)
		throw new Error(`GET /: ${res.status()}`);
	await until(page, { state: 'idle' });
	step('page');
	await shoot(page, 'start');

	await page.click('#anonymous');
	await cycle(page, 'anonymous');
	if (settings.account !== '') {
		await logIn(page, settings.account, `${settings.password}-wrong`);
		await until(page, { state: 'idle', trouble: 'login' });
		step('wrong password refused');
		await shoot(page, 'refused');
		await logIn(page, settings.account, settings.password);
		await cycle(page, 'account');
	}
	if (broken.length > 0)
		throw new Error(`errors in the page: ${broken.join(' | ')}`);
}

main(async () => {
	const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'regate-wic-'));
	let context = null;

	try {
		context = await chromium.launchPersistentContext(profile, {
			executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
			headless: true,
			args: ARGS,
			ignoreHTTPSErrors: true,
			viewport: { width: 390, height: 844 },
			timeout: 2 * settings.timeoutMs,
		});
		await drive(context);
	} finally {
		if (context !== null)
			await within(context.close(), 'end of Chromium').catch(() => {});
		fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
	}
});
