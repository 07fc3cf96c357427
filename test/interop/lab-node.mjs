/**
 * Causeway as TURN server and media engine of the MRA lab in one, for calls between phones outside:
 * `node …/lab-node.mjs STATE_DIRECTORY`, within the lab's namespace `dmz`.
 *
 * It becomes `causeway serve`, in this same process, with examples/causeway.yaml. The addresses, ports and
 * credentials are those that the lab tells its phones (its env.sh).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse, stringify } from 'yaml';

const directory = process.argv[2];
if (directory === undefined) {
  console.error('usage: lab-node.mjs STATE_DIRECTORY');
  process.exit(2);
}

/** Of the edge in the lab, by what the example has in their place. */
const ADDRESSES = { '203.0.113.1': '198.51.100.10', '10.10.0.1': '10.10.0.10' };

const example = readFileSync(resolve(import.meta.dirname, '../../examples/causeway.yaml'), 'utf8');
const { turn, b2bua, ...others } = parse(
  Object.entries(ADDRESSES).reduce((text, [theirs, ours]) => text.replaceAll(theirs, ours), example),
);
const configuration = {
  ...others,
  turn: {
    ...turn,
    realm: 'mra.example',
    credentials: [{ name: 'lab', password: 'labsecret' }],
    mediaPorts: [50_000, 50_999],
    // The lab's public side lies in documentation ranges.
    peers: { ...turn.peers, allow: ['198.51.100.0/24', '203.0.113.0/24'] },
  },
  b2bua: { ...b2bua, mediaPorts: [30_000, 30_999] },
};

process.chdir(directory);
const file = join(directory, 'causeway.yaml');
writeFileSync(file, stringify(configuration));

const program = resolve(import.meta.dirname, '../../dist/main.js');
process.argv = [process.execPath, program, 'serve', '-c', file];
await import(pathToFileURL(program).href);
