// SPDX-License-Identifier: BSD-3-Clause
// JsSIP against a gateway: lease, connect, register, refresh, renew the token, de-register, give
// the lease back. Settings: common.js.
'use strict';
const { step, hold, within, call, lease, installWebSocket, main } = require('./common');

installWebSocket();
const JsSIP = require('jssip');

// JsSIP tells of the first registration only; later 200s are seen at the socket.
class TappedSocket extends JsSIP.WebSocketInterface {
	get ondata() {
		return this.tapped;
	}

	set ondata(fn) {
		this.tapped = (data) => {
			fn(data);
			this.seen(String(data));
		};
	}
}

function once(ua, event) {
	return within(new Promise((resolve, reject) => {
		ua.once(event, resolve);
		ua.once('registrationFailed', (e) => reject(new Error(
			`registration failed: ${e.cause} ${e.response ? e.response.status_code : ''}`)));
	}), event);
}

function nextAnswer(socket) {
	return within(new Promise((resolve, reject) => {
		socket.seen = (text) => {
			const status = Number((/^SIP\/2\.0 (\d+)/.exec(text) || [])[1]);
			const expires = /^Contact:.*;expires=(\d+)/im.exec(text);

			if (status >= 300)
				reject(new Error(`answer ${status}`));
			else if (status >= 200)
				resolve({ status, expires: expires ? Number(expires[1]) : null,
					cseq: Number((/^CSeq:\s*(\d+)/im.exec(text) || [])[1]) });
		};
	}), 'answer to REGISTER');
}

main(async () => {
	const l = await lease();
	const socket = new TappedSocket(l.wss[0]);
	const ua = new JsSIP.UA({
		sockets: [socket],
		uri: l.impu,
		registrar_server: l.registrar,
		authorization_jwt: `Bearer ${l.token}`,
		register_expires: l.max_reg_expires,
		session_timers: false,
	});

	const connected = once(ua, 'connected');
	const registered = once(ua, 'registered');
	let answer = nextAnswer(socket);
	ua.start();
	await connected;
	step('connected', { wss: l.wss[0] });
	await registered;
	step('registered', await answer);
	await hold();

	answer = nextAnswer(socket);
	ua.register();
	step('refreshed', await answer);

	const renewed = await call('POST', '/v1/lease/refresh', { token: l.token });
	if (renewed.status !== 200 || renewed.body.impu !== l.impu || renewed.body.token === l.token)
		throw new Error(`refresh of the lease: ${renewed.status} ${JSON.stringify(renewed.body)}`);
	step('renewed', { expires_in: renewed.body.expires_in });
	ua.set('authorization_jwt', `Bearer ${renewed.body.token}`);
	answer = nextAnswer(socket);
	ua.register();
	step('refreshed with the new token', await answer);

	const unregistered = once(ua, 'unregistered');
	ua.unregister();
	if ((await unregistered).cause)
		throw new Error('the de-registration was refused');
	step('unregistered');

	const released = await call('DELETE', '/v1/lease', { token: renewed.body.token });
	// 401: the de-registration may have ended the lease already.
	if (released.status !== 202 && released.status !== 401)
		throw new Error(`DELETE /v1/lease: ${released.status}`);
	step('released', { status: released.status });
	ua.stop();
});
