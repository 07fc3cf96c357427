/**
 * Holds UDP and TCP sockets in a place of the lab, as it is asked over IPC: `{ id, operation, args }`, and the answer
 * is `{ id, answer }`. What may fail answers with the error's code.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** By port: the socket, and datagrams heard: `{ text, address, port }`. */
const datagramSockets = new Map();
/** By the number that was given to them. */
const streams = [];

async function datagramSocket(port) {
  const known = datagramSockets.get(port);
  if (known) return known;
  const entry = { socket: createSocket('udp4'), heard: [] };
  datagramSockets.set(port, entry);
  entry.socket.on('message', (payload, { address, port: from }) => {
    entry.heard.push({ text: payload.toString(), address, port: from });
    entry.socket.emit('heard');
  });
  entry.socket.bind(port);
  await once(entry.socket, 'listening');
  return entry;
}

const OPERATIONS = {
  bind: async (port) => {
    await datagramSocket(port);
  },
  /** 0, or the code of the error. */
  send: async (port, toAddress, toPort, text) => {
    const { socket } = await datagramSocket(port);
    return new Promise((resolve) => {
      socket.send(text, toPort, toAddress, (error) => resolve(error ? error.code : 0));
    });
  },
  /** Where the datagram with this text came from, as soon as it has come. */
  source: async (port, text) => {
    const { socket, heard } = await datagramSocket(port);
    for (;;) {
      const found = heard.find((datagram) => datagram.text === text);
      if (found) return { address: found.address, port: found.port };
      await once(socket, 'heard');
    }
  },
  texts: (port) => (datagramSockets.get(port)?.heard ?? []).map(({ text }) => text),
  /** Sends from a connected socket, and tells the error that the network answers with. */
  refusal: async (toAddress, toPort) => {
    const socket = createSocket('udp4');
    socket.connect(toPort, toAddress);
    await once(socket, 'connect');
    socket.send('is anyone there?');
    const [error] = await once(socket, 'error');
    socket.close();
    return error.code;
  },
  /** A server that greets, and returns what it gets. */
  serve: async (port) => {
    const server = createServer((stream) => {
      stream.on('error', () => {});
      stream.write(`hello ${stream.remoteAddress}`);
      stream.pipe(stream);
    });
    server.listen(port, '0.0.0.0');
    await once(server, 'listening');
  },
  /** The number of a new connection, or the code of the error. */
  connect: async (address, port) => {
    const stream = connect(port, address).setEncoding('utf8');
    try {
      await once(stream, 'connect');
    } catch (error) {
      return error.code;
    }
    stream.failure = once(stream, 'error').then(([error]) => error.code);
    stream.said = '';
    stream.on('data', (text) => {
      stream.said += text;
      stream.emit('said');
    });
    streams.push(stream);
    return streams.length - 1;
  },
  /** Writes to a connection. */
  write: (number, text) => {
    streams[number].write(text);
  },
  /** What the other side has said, when it ends with this text; or the code of the error that came first. */
  said: async (number, end) => {
    const stream = streams[number];
    while (!stream.said.endsWith(end)) {
      const failure = await Promise.race([once(stream, 'said').then(() => 0), stream.failure]);
      if (failure !== 0) return failure;
    }
    return stream.said;
  },
};

process.on('message', async ({ id, operation, args }) => {
  process.send({ id, answer: await OPERATIONS[operation](...args) });
});
