/** A program in the lab's network that does what a test says over IPC: with Node's own modules, as any program. */
import dgram, { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const things = [];
const keep = (thing) => things.push(thing) - 1; // its number

/** What has happened to a thing, until it is asked for. */
class Events {
  #happened = [];
  #asked = [];

  push(event) {
    const asked = this.#asked.shift();
    if (asked) asked(event);
    else this.#happened.push(event);
  }

  next() {
    return this.#happened.length > 0
      ? this.#happened.shift()
      : new Promise((resolve) => this.#asked.push(resolve));
  }
}

function udpEvents(socket) {
  const events = new Events();
  socket.on('message', (bytes, { address, port }) =>
    events.push({ text: bytes.toString(), from: { address, port } }),
  );
  return events;
}

function keepStream(socket) {
  const events = new Events();
  socket.setEncoding('utf8');
  socket.on('data', (text) => events.push({ text }));
  socket.on('end', () => events.push({ end: true }));
  socket.on('error', ({ code }) => events.push({ error: code }));
  socket.on('close', () => events.push({ close: true }));
  const local = { address: socket.localAddress, port: socket.localPort };
  const remote = { address: socket.remoteAddress, port: socket.remotePort };
  return { stream: keep({ socket, events }), local, remote };
}

function keepUdp(socket) {
  const { address, port } = socket.address();
  return { socket: keep({ socket, events: udpEvents(socket) }), at: { address, port } };
}

const commands = {
  async udp({ address, port }) {
    const socket = createSocket('udp4');
    socket.bind({ port, ...(address ? { address } : {}), exclusive: true });
    await once(socket, 'listening');
    return keepUdp(socket);
  },
  /** With a lookup that answers at once, as Causeway's engine has: what bind did is known when it returns. */
  bindAtOnce({ address, port }) {
    const socket = dgram.createSocket({
      type: 'udp4',
      lookup: (host, _options, done) => done(null, host, 4),
    });
    let failure = null;
    socket.on('error', ({ code }) => {
      failure = code;
    });
    socket.bind({ address, port, exclusive: true });
    if (failure) {
      socket.close();
      return { failure };
    }
    socket.setRecvBufferSize(65_536);
    return { ...keepUdp(socket), buffer: socket.getRecvBufferSize(), queue: socket.getSendQueueSize() };
  },
  /** A socket that sends without having been bound. */
  async sendUnbound({ text, to }) {
    const socket = createSocket('udp4');
    const events = udpEvents(socket);
    await new Promise((resolve, reject) => {
      socket.send(text, to.port, to.address, (error) => (error ? reject(error) : resolve()));
    });
    const { address, port } = socket.address();
    return { socket: keep({ socket, events }), at: { address, port } };
  },
  send({ socket, text, to }) {
    return new Promise((resolve, reject) => {
      const done = (error, bytes) => (error ? reject(error) : resolve(bytes));
      things[socket].socket.send(Buffer.from(text), to.port, to.address, done);
    });
  },
  closeUdp({ socket }) {
    return new Promise((resolve) => things[socket].socket.close(() => resolve()));
  },
  async listen({ address, port, halfOpen = false }) {
    const server = createServer({ allowHalfOpen: halfOpen });
    const events = new Events();
    server.on('connection', (socket) => events.push(keepStream(socket)));
    server.listen({ host: address, port });
    await once(server, 'listening');
    return { server: keep({ server, events }), at: server.address() };
  },
  closeServer({ server }) {
    return new Promise((resolve) => things[server].server.close(() => resolve()));
  },
  async connect({ address, port, halfOpen = false, text }) {
    const socket = connect({ host: address, port, allowHalfOpen: halfOpen });
    if (text) socket.write(text); // before it stands
    await once(socket, 'connect');
    return keepStream(socket);
  },
  write({ stream, text }) {
    things[stream].socket.write(text);
  },
  end({ stream }) {
    things[stream].socket.end();
  },
  /** The next that happened to a socket, a stream or a server. */
  next({ thing }) {
    return things[thing].events.next();
  },
  interfaces() {
    const infos = Object.values(networkInterfaces()).flat();
    return infos.filter(({ internal }) => !internal).map(({ address }) => address);
  },
  async allocate({ server, transport, local, username, password }) {
    const { createTurnClient } = await import('werift'); // slow, and most programs are without
    const turn = await createTurnClient(
      { address: [server.address, server.port], username, password },
      { transport, interfaceAddresses: { udp4: local } },
    );
    const events = new Events();
    turn.onData.subscribe((bytes, [address, port]) =>
      events.push({ text: bytes.toString(), from: { address, port } }),
    );
    const [address, port] = turn.relayedAddress;
    const [mappedAddress, mappedPort] = turn.mappedAddress;
    const mapped = { address: mappedAddress, port: mappedPort };
    return { relay: keep({ turn, events }), relayed: { address, port }, mapped };
  },
  async relay({ relay, text, to }) {
    await things[relay].turn.getChannel([to.address, to.port]);
    await things[relay].turn.sendData(Buffer.from(text), [to.address, to.port]);
  },
  /** The same commands, in a thread of their own. */
  async thread({ command, question }) {
    const worker = new Worker(new URL(import.meta.url));
    worker.postMessage({ command, question });
    const [answer] = await once(worker, 'message');
    keep(worker);
    return answer;
  },
  /** From now on it ends when it is killed alone. */
  ignoreTerm() {
    process.on('SIGTERM', () => {});
  },
  directory() {
    return JSON.parse(process.env.CAUSEWAY_LAB_NETWORK).directory;
  },
};

async function answer({ command, question }) {
  try {
    return { answer: (await commands[command](question)) ?? null };
  } catch (error) {
    return { error: error.code ?? error.message };
  }
}

if (isMainThread) {
  setInterval(() => {}, 60_000); // does not end by itself
  process.on('message', async ({ id, ...asked }) => process.send({ id, ...(await answer(asked)) }));
  process.send({ id: 0 });
} else {
  parentPort.on('message', async (asked) => parentPort.postMessage(await answer(asked)));
}
