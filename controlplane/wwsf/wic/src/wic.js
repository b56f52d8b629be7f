// SPDX-License-Identifier: BSD-3-Clause
// The view: buttons in, session state out. document.body.dataset carries the state for tests:
// state, impu, granted, registrations, renewals, leaseEnd, trouble.
'use strict';

(() => {
	const at = (id) => document.getElementById(id);
	const words = {
		idle: '',
		leasing: 'Asking for an identity …',
		connecting: 'Connecting …',
		registering: 'One moment …',
		registered: 'Registered',
		unregistered: 'Not registered',
		failed: 'Not registered',
		ending: 'Ending …',
		ended: 'Ended',
	};

	function show(s) {
		const data = document.body.dataset;
		const hasLease = s.lease !== null;
		const isBusy = s.state === 'leasing' || s.state === 'ending';

		data.impu = hasLease ? s.lease.impu : '';
		data.granted = s.granted;
		data.registrations = s.registrations;
		data.renewals = s.renewals;
		data.leaseEnd = hasLease ? Math.round(s.leaseEnd / 1000) : '';
		data.trouble = s.trouble ? s.trouble.kind : '';
		at('alert').hidden = s.trouble === null;
		at('alert').textContent = s.trouble ? s.trouble.message : '';
		at('start').hidden = hasLease || s.state === 'ending';
		at('session').hidden = !at('start').hidden;
		at('status-text').textContent = words[s.state];
		at('identity').textContent = data.impu;
		at('lease-end').textContent = hasLease
			? new Date(s.leaseEnd).toLocaleTimeString([], { timeStyle: 'short' }) : '–';
		for (const id of ['anonymous', 'submit'])
			at(id).disabled = isBusy;
		at('register').disabled = isBusy || s.state === 'registering' || s.state === 'connecting';
		at('register').textContent = s.state === 'registered' ? 'Register again' : 'Register';
		at('deregister').disabled = s.state !== 'registered';
		at('end').disabled = isBusy;
		tick(s);
		data.state = s.state; // last: tests wait for it
	}

	function tick(s) {
		const left = Math.max(0, Math.ceil((s.grantedUntil - Date.now()) / 1000));

		at('granted').textContent = left === 0 ? '–'
			: `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')} min`;
	}

	const session = new Session(show);

	at('anonymous').addEventListener('click', () => session.begin({ anonymous: true }));
	at('login').addEventListener('submit', (e) => {
		const account = at('account').value.trim();
		const password = at('password').value;

		e.preventDefault();
		at('password').value = '';
		if (account === '' || password === '') {
			session.to('idle', new Trouble('login', 'Type your account and your password.'));
			at(account === '' ? 'account' : 'password').focus();
			return;
		}
		session.begin({ account, password });
	});
	at('register').addEventListener('click', () => session.register());
	at('deregister').addEventListener('click', () => session.deregister());
	at('end').addEventListener('click', () => session.end());
	document.addEventListener('visibilitychange', () => {
		if (!document.hidden)
			session.wake();
	});
	setInterval(() => tick(session), 1000);
	if (!session.resume())
		show(session);
})();
