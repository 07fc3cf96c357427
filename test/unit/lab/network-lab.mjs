/** A lab of two programs that says where its files are and stays, for a test that kills it. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createSimulatedNetwork } from '../../../dist-lab/lab/network/simulated/network.js';

const network = await createSimulatedNetwork({ seed: 1 });
const script = fileURLToPath(new URL('network-program.mjs', import.meta.url));
const programs = ['core', 'homeA'].map((place) =>
  network.startNode(place, script, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
);
await Promise.all(programs.map((program) => once(program, 'message')));
const [first] = programs;
first.send({ id: 1, command: 'directory', question: {} });
const [{ answer: directory }] = await once(first, 'message');
console.log(JSON.stringify({ directory }));
