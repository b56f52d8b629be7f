// SPDX-License-Identifier: BSD-3-Clause
// SIP.js against a gateway: lease, connect, register, refresh, de-register. Unlike JsSIP it sends
// no instance-id unless told, no Expires header, and no token in the de-REGISTER. Settings: common.js.
'use strict';
const { step, hold, within, call, lease, installWebSocket, main } = require('./common');

installWebSocket();
// Made for browsers: it wants window's names.
global.self = global;
global.addEventListener ||= () => {};
global.removeEventListener ||= () => {};
let SIP; // an ES module: Node 18 loads it by import() only

// Sends one REGISTER and waits for its answer and for the state that must follow.
async function ask(registerer, send, state) {
	const reached = new Promise((resolve) => {
		if (registerer.state === state)
			resolve();
		registerer.stateChange.addListener((s) => {
			if (s === state)
				resolve();
		});
	});
	const answer = new Promise((resolve, reject) => {
		send({
			onAccept: (r) => resolve(r.message),
			onReject: (r) => reject(new Error(
				`answer ${r.message.statusCode} ${r.message.reasonPhrase}`)),
		}).catch(reject);
	});
	const message = await within(answer, 'answer to REGISTER');
	const contact = message.getHeader('Contact');

	await within(reached, `state ${state}`);
	return { status: message.statusCode, cseq: message.cseq,
		expires: Number((/;expires=(\d+)/i.exec(contact || '') || [])[1]) || null };
}

main(async () => {
	SIP = await import('sip.js');
	const l = await lease();
	const auth = [`Authorization: Bearer ${l.token}`];
	const ua = new SIP.UserAgent({
		uri: SIP.UserAgent.makeURI(l.impu),
		transportOptions: { server: l.wss[0], keepAliveInterval: 0 },
		logBuiltinEnabled: false,
	});

	await within(ua.start(), 'WebSocket connection');
	step('connected', { wss: l.wss[0] });

	const registerer = new SIP.Registerer(ua, { expires: l.max_reg_expires, extraHeaders: auth,
		registrar: SIP.UserAgent.makeURI(l.registrar) });
	const register = (requestDelegate) => registerer.register({ requestDelegate });

	step('registered', await ask(registerer, register, SIP.RegistererState.Registered));
	await hold();
	step('refreshed', await ask(registerer, register, SIP.RegistererState.Registered));
	step('unregistered', await ask(registerer,
		(requestDelegate) => registerer.unregister({ requestDelegate }),
		SIP.RegistererState.Unregistered));

	const released = await call('DELETE', '/v1/lease', { token: l.token });
	if (released.status !== 202 && released.status !== 401)
		throw new Error(`DELETE /v1/lease: ${released.status}`);
	step('released', { status: released.status });
	await within(ua.stop(), 'close of the connection');
});
