// SPDX-License-Identifier: BSD-3-Clause
// What the clients share: settings from the environment, the lease by HTTPS, one JSON line per step,
// and time limits. Nothing here knows a SIP library.
//   GATEWAY   https://10.77.0.2           WSS      overrides the lease answer's URL
//   ORIGIN    default GATEWAY             CA       PEM file that signed the certificate
//   ACCOUNT, PASSWORD                     log in; anonymous without them
//   TIMEOUT_S one step at most (15)
//   HOLD      wait for a byte on standard input once registered
'use strict';
const fs = require('fs');
const https = require('https');
const WebSocket = require('ws');

const env = process.env;
const gateway = env.GATEWAY || 'https://10.77.0.2';
const settings = {
	gateway,
	wss: env.WSS || '',
	origin: env.ORIGIN || new URL(gateway).origin,
	ca: env.CA ? fs.readFileSync(env.CA) : undefined,
	account: env.ACCOUNT || '',
	password: env.PASSWORD || '',
	timeoutMs: 1000 * (Number(env.TIMEOUT_S) || 15),
};

function step(name, more) {
	console.log(JSON.stringify({ step: name, ...more }));
}

// With HOLD set: waits for a byte on standard input, so that a test can look around first.
function hold() {
	if (!env.HOLD)
		return Promise.resolve();
	return new Promise((resolve) => {
		process.stdin.once('data', resolve).once('end', resolve).resume();
	}).then(() => process.stdin.pause());
}

// Rejects when the promise takes longer than one step may.
function within(promise, what) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`${what}: nothing in ${settings.timeoutMs} ms`)),
			settings.timeoutMs);
	});

	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// {status, headers, body} of one request to the lease API; body is parsed when it is JSON.
function call(method, path, { token, body } = {}) {
	const text = body === undefined ? '' : JSON.stringify(body);
	const headers = { Origin: settings.origin, 'Content-Length': Buffer.byteLength(text) };

	if (token !== undefined)
		headers.Authorization = `Bearer ${token}`;
	if (body !== undefined)
		headers['Content-Type'] = 'application/json';
	return within(new Promise((resolve, reject) => {
		const req = https.request(new URL(path, settings.gateway),
			{ method, headers, ca: settings.ca, agent: false }, (res) => {
				let data = '';
				res.setEncoding('utf8');
				res.on('data', (d) => { data += d; });
				res.on('error', reject);
				res.on('end', () => {
					let json;
					try {
						json = JSON.parse(data);
					} catch {
						json = undefined;
					}
					resolve({ status: res.statusCode, headers: res.headers, body: json });
				});
			});
		req.on('error', reject);
		req.end(text);
	}), `${method} ${path}`);
}

async function lease() {
	const { status, body } = await call('POST', '/v1/lease', { body: settings.account === ''
		? { anonymous: true } : { account: settings.account, password: settings.password } });

	if (status !== 201)
		throw new Error(`POST /v1/lease: ${status} ${JSON.stringify(body)}`);
	step('lease', { impu: body.impu, expires_in: body.expires_in });
	if (settings.wss !== '')
		body.wss = [settings.wss];
	return body;
}

// Both libraries look for a global WebSocket; a browser would send Origin by itself.
function installWebSocket() {
	global.WebSocket = class extends WebSocket {
		constructor(url, protocols) {
			super(url, protocols, { origin: settings.origin, ca: settings.ca,
				handshakeTimeout: settings.timeoutMs });
		}
	};
}

// Runs the client to its end: exit code 0 only when it came to the last line.
function main(client) {
	const fail = (e) => {
		step('failed', { error: e && e.message ? e.message : String(e) });
		process.exit(1);
	};

	process.on('uncaughtException', fail);
	process.on('unhandledRejection', fail);
	setTimeout(() => fail(new Error('the whole run took too long')), 8 * settings.timeoutMs).unref();
	client().then(() => {
		step('done');
		process.exit(0);
	}, fail);
}

module.exports = { settings, step, hold, within, call, lease, installWebSocket, main };
