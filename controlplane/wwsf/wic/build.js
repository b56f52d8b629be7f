// SPDX-License-Identifier: BSD-3-Clause
// Fills dist/ with the files that regated serves: the page as it is, JsSIP as one script, and the
// licences of what that script contains.
'use strict';
const esbuild = require('esbuild');
const fs = require('fs');
const path = require('path');

const dist = path.join(__dirname, 'dist');
const bundled = ['jssip', 'debug', 'events', 'ms', 'sdp-transform'];

function licence(name) {
	const dir = path.join(__dirname, 'node_modules', name);
	const file = fs.readdirSync(dir).find((f) => /^licen[cs]e/i.test(f));
	const { version } = JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8'));

	if (file === undefined)
		throw new Error(`${dir} has no licence file: do not ship it`);
	return `${name} ${version}\n\n${fs.readFileSync(path.join(dir, file), 'utf8').trim()}\n`;
}

fs.rmSync(dist, { recursive: true, force: true });
fs.cpSync(path.join(__dirname, 'src'), dist, { recursive: true });
const result = esbuild.buildSync({
	entryPoints: [require.resolve('jssip')],
	outfile: path.join(dist, 'jssip.min.js'),
	bundle: true,
	minify: true,
	platform: 'browser',
	format: 'iife',
	globalName: 'JsSIP',
	target: 'es2020',
	banner: { js: '/* JsSIP and what it needs; see licenses.txt */' },
	metafile: true,
});

for (const input of Object.keys(result.metafile.inputs)) {
	const name = /node_modules\/([^/]+)\//.exec(input);
	if (name !== null && !bundled.includes(name[1]))
		throw new Error(`${input} is bundled, but ${name[1]} has no entry in licenses.txt`);
}
fs.writeFileSync(path.join(dist, 'licenses.txt'), bundled.map(licence).join('\n---\n\n'));
for (const f of fs.readdirSync(dist))
	console.log(`dist/${f} ${fs.statSync(path.join(dist, f)).size}`);
