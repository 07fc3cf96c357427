/**
 * A front process of the lab for the suite of its namespaces: `node namespaces-front.mjs`, with an IPC channel, as
 * the user whose namespaces are to be tried. It answers what is asked of it, and hands on the rest to the inner
 * process, which the first such question starts.
 */
import { join } from 'node:path';
import { enterNamespaces } from '../../../dist-lab/lab/network/namespaces/enter.js';
import { whyNoNamespaces } from '../../../dist-lab/lab/network/namespaces/probe.js';

let inner;

function startInner() {
  const stdio = ['ignore', 'inherit', 'inherit', 'ipc'];
  inner = enterNamespaces(join(import.meta.dirname, 'namespaces-inner.mjs'), [], { stdio });
  inner.on('message', (answer) => process.send(answer));
  inner.on('exit', (code, signal) => process.send({ ended: { code, signal } }));
  return inner;
}

process.on('message', async (question) => {
  const { id, operation } = question;
  if (operation === 'whyNoNamespaces') process.send({ id, answer: await whyNoNamespaces() });
  else if (operation === 'wrapperPid') process.send({ id, answer: (inner ?? startInner()).pid });
  else if (operation === 'disconnectInner') inner.disconnect();
  else (inner ?? startInner()).send(question);
});
// Its end is the suite's to choose; without the suite it has none to wait for.
process.on('disconnect', () => process.exit());
