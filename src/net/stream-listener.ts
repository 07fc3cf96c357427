/** Listening for stream clients: the TCP server, and the TLS identity it may have. */
import { constants } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { formatEndpoint } from '../wire/address.ts';

/** A certificate chain and its private key, both PEM text. */
export interface TlsIdentity {
  readonly certificate: string;
  readonly key: string;
}

/** A port that takes stream clients. */
export interface StreamListener {
  readonly protocol: 'tcp' | 'tls';
  readonly address: string;
  /** The port that is bound, also where 0 was asked for. */
  readonly port: number;
  /**
   * New connections see this certificate from now on; those that stand keep theirs.
   * Throws {@link StreamListenError}, and keeps the old one, if the two do not work or not together.
   */
  reload(identity: TlsIdentity): void;
  /** Stops listening and closes the listener's connections. */
  close(): Promise<void>;
}

/** Thrown where a listener cannot be: the address is taken or not this host's, or its certificate is of no use. */
export class StreamListenError extends Error {
  readonly code = 'STREAM_LISTEN_FAILED';
}

const BACKLOG = 511;

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'the address is not one of this host',
  EACCES: 'the port needs privileges',
  EAFNOSUPPORT: 'this host does not speak the address family',
};

/** Listens on a TCP port. Rejects with {@link StreamListenError}. */
export function listenTcp(
  protocol: 'tcp' | 'tls',
  address: string,
  port: number,
  onSocket: (socket: Socket) => void,
): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ noDelay: true }, onSocket);
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason = REASONS[error.code ?? ''] ?? error.message;
      const at = formatEndpoint(address, port);
      reject(
        new StreamListenError(`cannot listen on ${protocol} ${at}: ${reason} (${error.code})`, {
          cause: error,
        }),
      );
    });
    server.listen({ host: address, port, ipv6Only: address.includes(':'), backlog: BACKLOG }, () => {
      // Accepting can fail later (no file descriptors left); the client sees its connection reset.
      server.on('error', () => {});
      resolve(server);
    });
  });
}

/** What TLS connections of a listener share. Throws {@link StreamListenError} for PEM that is of no use. */
export function secureContext(identity: TlsIdentity): SecureContext {
  try {
    return createSecureContext({
      cert: identity.certificate,
      key: identity.key,
      minVersion: 'TLSv1.2', // RFC 8996: TLS 1.0 and 1.1 are deprecated
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION, // costs the server far more than the client
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StreamListenError(`the TLS certificate and key cannot be used: ${reason}`, { cause: error });
  }
}

/** The server's end of TLS on an accepted connection; emits `secure` when the handshake is done. */
export function tlsSocket(socket: Socket, context: SecureContext): TLSSocket {
  return new TLSSocket(socket, { isServer: true, secureContext: context });
}
