/** The lab's inner process for the suite of its namespaces: does with the network what it is asked over IPC. */
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { networkOf } from '../../../dist-lab/lab/network/namespaces/enter.js';
import { createNamespaceNetwork } from '../../../dist-lab/lab/network/namespaces/network.js';

let network;
const programs = new Map();
let lastId = 0;

const OPERATIONS = {
  build: async () => {
    network = await createNamespaceNetwork();
  },
  /** Calls a method of the network that takes and returns plain values. */
  network: (method, ...args) => network[method](...args),
  /** Asks the socket program of a place. */
  sockets: async (place, operation, ...args) => {
    if (!programs.has(place)) programs.set(place, startSockets(place));
    return programs.get(place)(operation, args);
  },
  /** Runs a command in a place, and tells how it ended and what it wrote. */
  output: async (place, command, args, options = {}) => {
    const child = network.startCommand(place, command, args, options);
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    const [code, signal] = await once(child, 'close');
    return { code, signal, text };
  },
  /** Starts a command that says when it is ready, and tells its process id. */
  start: async (place, command, args) => {
    const child = network.startCommand(place, command, args);
    await once(child.stdout, 'data');
    return child.pid;
  },
  /** Sends SIGTERM to a Node program in a place that tells its own id, and tells how it ended. */
  terminate: async (place, script) => {
    const child = network.startNode(place, script, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const [reportedPid] = await once(child, 'message');
    const exited = once(child, 'exit');
    child.kill();
    const [code, signal] = await exited;
    return { isPidOfProgram: reportedPid === child.pid, code, signal };
  },
  /** From the lab's own namespace: what the other side says first. */
  greeting: async (address, port) => {
    const socket = connect(port, address).setEncoding('utf8');
    const [text] = await once(socket, 'data');
    socket.destroy();
    return text;
  },
  /** Processes that run, without those that have ended and that nobody has waited for. */
  processes: () => processes().filter((pid) => identityOf(pid).length > 0),
  /** Identities of the network namespaces of all processes here. */
  identities: () => [...new Set(processes().flatMap(identityOf))],
};

process.on('message', async ({ id, operation, args }) => {
  try {
    process.send({ id, answer: await OPERATIONS[operation](...args) });
  } catch (error) {
    process.send({ id, error: error.message });
  }
});

function startSockets(place) {
  const script = join(import.meta.dirname, 'socket-program.mjs');
  const child = network.startNode(place, script, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const waiting = new Map();
  child.on('message', ({ id, answer }) => {
    waiting.get(id)?.(answer);
    waiting.delete(id);
  });
  return (operation, args) => {
    lastId += 1;
    const id = lastId;
    child.send({ id, operation, args });
    return new Promise((resolve) => {
      waiting.set(id, resolve);
    });
  };
}

function processes() {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
}

/** None of a process that has ended. */
function identityOf(pid) {
  try {
    return [networkOf(pid)];
  } catch {
    return [];
  }
}
