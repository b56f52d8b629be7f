// SPDX-License-Identifier: BSD-3-Clause
// One session with the gateway: the lease (HTTPS), its silent renewal, and the registration (SIP
// over WebSocket, JsSIP). It touches no element of the page: onChange(session) tells the view.
'use strict';

// Why something failed: kind is for machines, message for people.
class Trouble extends Error {
	constructor(kind, message, retryAfter) {
		super(message);
		this.kind = kind;
		this.retryAfter = retryAfter;
	}
}

const UNREACHABLE = 'The gateway cannot be reached. Check your connection; this page keeps trying.';
const ENDED = 'Your session has ended. Start a new one.';

async function leaseCall(method, path, token, body) {
	const headers = {};
	let res;

	if (token)
		headers.Authorization = `Bearer ${token}`;
	if (body)
		headers['Content-Type'] = 'application/json';
	try {
		res = await fetch(path, {
			method, headers, body: body && JSON.stringify(body),
			cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(15000),
		});
	} catch {
		throw new Trouble('unreachable', UNREACHABLE);
	}
	const data = await res.json().catch(() => ({}));
	if (res.ok)
		return data;
	throw leaseTrouble(res, data, Boolean(token));
}

function leaseTrouble(res, data, hadToken) {
	const wait = Number(res.headers.get('Retry-After')) || 0;

	if (res.status === 401 && !hadToken)
		return new Trouble('login', 'The account or the password is not right. Try again.');
	if (res.status === 401)
		return new Trouble('ended', ENDED);
	if (res.status === 409 || res.status === 503)
		return new Trouble('busy', wait > 0
			? `All identities are in use or the gateway is busy. Try again in ${wait} seconds.`
			: 'All identities are in use or the gateway is busy. Try again in a moment.', wait);
	if (res.status === 403)
		return new Trouble('forbidden', data.message || 'This is not allowed from this page.');
	return new Trouble('refused', data.message || `The gateway answered ${res.status}.`);
}

// A JsSIP socket that also shows each answer to tap(), after JsSIP has seen it: JsSIP tells of the
// first registration only, and never what time was granted on a refresh.
function tappedSocket(url, tap) {
	return new (class extends JsSIP.WebSocketInterface {
		get ondata() {
			return this.tapped;
		}

		set ondata(fn) {
			this.tapped = (data) => {
				fn(data);
				tap(typeof data === 'string' ? data : new TextDecoder().decode(data));
			};
		}
	})(url);
}

// Seconds granted to our contact by a 200 to REGISTER; 0 for a de-registration or anything else.
function grantedSeconds(message, instance) {
	if (!/^SIP\/2\.0 200 /.test(message) || !/^CSeq:\s*\d+\s+REGISTER/im.test(message))
		return 0;
	for (const line of message.match(/^Contact:.*$/gim) || []) {
		const expires = /;expires=(\d+)/i.exec(line);
		if (line.includes(instance) && expires !== null)
			return Number(expires[1]);
	}
	return 0;
}

class Session {
	static KEY = 'regate.session';
	static RETRY_FIRST_MS = 5000;
	static RETRY_LAST_MS = 60000;

	constructor(onChange) {
		this.onChange = onChange;
		this.lease = null;   // the gateway's answer
		this.leaseEnd = 0;   // ms since 1970
		this.renewAt = 0;    // the same
		this.instance = '';  // +sip.instance of this tab: a reload replaces its own binding
		this.ua = null;
		this.isWanted = false; // registered is what the user asked for
		this.timers = {};
		this.reset('idle');
	}

	reset(state) {
		this.state = state;
		this.trouble = null;
		this.granted = 0;      // seconds, of the last 200
		this.grantedUntil = 0; // ms since 1970
		this.registrations = 0;
		this.renewals = 0;
		this.failures = 0;
		this.hasRenewedFor401 = false;
	}

	to(state, trouble) {
		this.state = state;
		this.trouble = trouble || null;
		// JsSIP says nothing when a 200 names another contact than its own (Timer F is 32 s).
		clearTimeout(this.timers.answer);
		if (state === 'registering')
			this.later('answer', Date.now() + 40000, () => this.retry(0, 'No usable answer came'));
		this.onChange(this);
	}

	later(name, at, fn) {
		clearTimeout(this.timers[name]);
		this.timers[name] = setTimeout(fn, Math.min(Math.max(0, at - Date.now()), 0x7fffffff));
	}

	cancelTimers() {
		Object.values(this.timers).forEach(clearTimeout);
		this.timers = {};
	}

	// credentials: {anonymous: true} or {account, password}
	async begin(credentials) {
		if (this.state === 'leasing')
			return;
		this.reset('leasing');
		this.onChange(this);
		try {
			const lease = await leaseCall('POST', '/v1/lease', null, credentials);
			this.instance = crypto.randomUUID();
			this.take(lease);
		} catch (e) {
			this.to('idle', e);
			return;
		}
		this.connect();
	}

	// After a reload. True when there was something to go on with.
	resume() {
		let saved;

		try {
			saved = JSON.parse(sessionStorage.getItem(Session.KEY));
		} catch {
			saved = null;
		}
		if (!saved || !saved.lease || !(saved.leaseEnd > Date.now()))
			return false;
		Object.assign(this, { lease: saved.lease, leaseEnd: saved.leaseEnd,
			renewAt: saved.renewAt, instance: saved.instance });
		this.watchLease();
		this.connect();
		return true;
	}

	take(lease) {
		const life = lease.expires_in * 1000;

		this.lease = lease;
		this.leaseEnd = Date.now() + life;
		this.renewAt = Date.now() + life / 2;
		sessionStorage.setItem(Session.KEY, JSON.stringify({ lease, leaseEnd: this.leaseEnd,
			renewAt: this.renewAt, instance: this.instance }));
		this.watchLease();
	}

	watchLease() {
		// Timers may be early by a tick, and by days beyond 31 bits: look at the clock again.
		this.later('renew', this.renewAt, () => {
			if (Date.now() < this.renewAt)
				this.watchLease();
			else
				this.renew();
		});
		this.later('end', this.leaseEnd, () => {
			if (Date.now() < this.leaseEnd)
				this.watchLease();
			else
				this.over(new Trouble('ended', ENDED));
		});
	}

	// A phone that slept has late timers: look again when the page is seen.
	wake() {
		if (this.lease !== null)
			this.watchLease();
	}

	// A new token for the same identity. True when there is one.
	async renew() {
		const old = this.lease;

		try {
			const lease = await leaseCall('POST', '/v1/lease/refresh', old.token);
			if (this.lease !== old)
				return false;
			this.take(lease);
		} catch (e) {
			if (this.lease !== old)
				return false;
			if (e.kind === 'ended') {
				this.over(e);
				return false;
			}
			this.renewAt = Date.now() + Math.max(Session.RETRY_FIRST_MS,
				(this.leaseEnd - Date.now()) / 10);
			this.watchLease();
			return false;
		}
		this.renewals++;
		if (this.ua !== null)
			this.ua.set('authorization_jwt', `Bearer ${this.lease.token}`);
		this.onChange(this);
		return true;
	}

	connect() {
		const ua = new JsSIP.UA({
			sockets: this.lease.wss.map((url) => tappedSocket(url, (m) => this.answered(ua, m))),
			uri: this.lease.impu,
			registrar_server: this.lease.registrar,
			authorization_jwt: `Bearer ${this.lease.token}`,
			register_expires: this.lease.max_reg_expires,
			instance_id: this.instance,
			session_timers: false,
		});
		const mine = (fn) => (e) => {
			if (this.ua === ua)
				fn(e || {});
		};

		ua.on('connected', mine(() => this.to(this.isWanted ? 'registering' : 'unregistered')));
		ua.on('disconnected', mine((e) => this.disconnected(e)));
		ua.on('unregistered', mine((e) => this.unregistered(e)));
		ua.on('registrationFailed', mine((e) => this.registrationFailed(e)));
		this.ua = ua;
		this.isWanted = true;
		this.to('connecting');
		ua.start();
	}

	drop() {
		const ua = this.ua;

		this.ua = null;
		this.grantedUntil = 0;
		clearTimeout(this.timers.retry);
		if (ua !== null)
			ua.stop();
	}

	answered(ua, message) {
		const granted = grantedSeconds(message, this.instance);

		if (this.ua !== ua || granted === 0 || !ua.isRegistered())
			return;
		this.granted = granted;
		this.grantedUntil = Date.now() + granted * 1000;
		this.registrations++;
		this.failures = 0;
		this.hasRenewedFor401 = false;
		clearTimeout(this.timers.retry);
		this.to('registered');
	}

	disconnected(e) {
		this.grantedUntil = 0;
		if (e.code === 1008) {
			// Policy: another tab took this identity, or the gateway ended it. Coming back at
			// once would only throw the other one out.
			this.drop();
			this.to('failed', new Trouble('replaced', 'The gateway closed this connection: the '
				+ 'session is used elsewhere or was ended. Press Register to take it back.'));
		} else if (this.state !== 'ending') {
			this.to('connecting', e.error ? new Trouble('unreachable', UNREACHABLE) : null);
		}
	}

	unregistered(e) {
		this.grantedUntil = 0;
		if (this.state === 'registering' || this.state === 'registered')
			this.to('unregistered', e.cause
				? new Trouble('refused', `The gateway did not confirm: ${e.cause}.`) : null);
	}

	async registrationFailed(e) {
		const status = e.response ? e.response.status_code : 0;

		if (e.cause === JsSIP.C.causes.CONNECTION_ERROR)
			return; // "disconnected" tells
		if (status === 401 && !this.hasRenewedFor401) {
			this.hasRenewedFor401 = true;
			if (await this.renew() && this.ua !== null)
				this.ua.register();
			else if (this.lease !== null)
				this.retry(0, 'The gateway does not accept the token of this session');
		} else if (status === 401) {
			this.over(new Trouble('ended', ENDED));
		} else if (status === 403) {
			this.to('failed', new Trouble('forbidden',
				'The network does not allow this registration. End the session and start a new one.'));
		} else {
			this.retry(e.response ? Number(e.response.getHeader('Retry-After')) || 0 : 0, status
				? `The network answered ${status}` : 'The network did not answer');
		}
	}

	retry(afterSeconds, why) {
		const backoff = Math.min(Session.RETRY_LAST_MS, Session.RETRY_FIRST_MS * 2 ** this.failures++);
		const wait = Math.max(afterSeconds * 1000, backoff * (0.75 + Math.random() / 2));

		this.later('retry', Date.now() + wait, () => this.register());
		this.to('failed', new Trouble('retrying',
			`${why}. Trying again in ${Math.round(wait / 1000)} seconds.`));
	}

	register() {
		clearTimeout(this.timers.retry);
		if (this.lease === null)
			return;
		if (this.ua === null) {
			this.connect();
			return;
		}
		this.isWanted = true;
		this.to(this.ua.isConnected() ? 'registering' : 'connecting');
		this.ua.register();
	}

	deregister() {
		clearTimeout(this.timers.retry);
		if (this.ua === null || !this.ua.isRegistered())
			return;
		this.isWanted = false;
		this.to('registering');
		this.ua.unregister();
	}

	// De-registers, then gives the identity back. The gateway waits for the core's word either way.
	async end() {
		const { ua, lease } = this;

		if (lease === null || this.state === 'ending')
			return;
		this.cancelTimers();
		this.to('ending');
		if (ua !== null && ua.isRegistered()) {
			await new Promise((done) => {
				ua.once('unregistered', done);
				this.later('ending', Date.now() + 3000, done);
				ua.unregister();
			});
		}
		this.forget();
		try {
			await leaseCall('DELETE', '/v1/lease', lease.token);
			this.to('ended');
		} catch (e) {
			this.to('ended', e.kind === 'ended' ? null : new Trouble('unreachable',
				'The gateway could not be told; it takes the identity back by itself.'));
		}
	}

	forget() {
		this.cancelTimers();
		this.drop();
		this.lease = null;
		sessionStorage.removeItem(Session.KEY);
	}

	over(trouble) {
		this.forget();
		this.to('ended', trouble);
	}
}
