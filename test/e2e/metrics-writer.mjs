// A process that counts calls and keeps them until it is killed. Says on standard output how many it has told
// the store of (`told N`) and how many the store says are kept (`kept N`).
// Arguments: the built metrics store, the state directory, the call to repeat (JSON).
import { argv, stdout } from 'node:process';

const [, , module, directory, callText] = argv;
const { MetricsStore } = await import(module);
const call = JSON.parse(callText);
const log = { warn: console.error, info: console.error };
const store = new MetricsStore({
  node: 'node1',
  stateDirectory: directory,
  intervalHours: 24,
  cdr: { files: 3, fileBytes: 262_144 },
  log,
});

for (let told = 0; ; ) {
  for (let i = 0; i < 25; i++) store.callEnded({ ...call, uuid: `call-${++told}` });
  stdout.write(`told ${told}\n`);
  await store.flush();
  stdout.write(`kept ${told}\n`);
}
