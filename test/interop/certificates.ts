/** A certificate authority of the suite's own and a certificate for loopback, made by openssl. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeEnd, run } from './processes.ts';

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

const OPENSSL_TIMEOUT_MS = 20_000;
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'] as const;

/**
 * Makes them in `directory`, valid for a day, for 127.0.0.1, ::1 and localhost.
 * @throws Error with openssl's output
 */
export async function makeCertificates(directory: string): Promise<CertificateFiles> {
  const file = (name: string): string => join(directory, name);
  await writeFile(
    file('server.ext'),
    'subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost\nextendedKeyUsage=serverAuth\n',
  );
  await openssl(
    ...['req', '-x509', ...NEW_KEY, '-days', '1', '-subj', '/CN=Causeway interop CA'],
    ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign'],
    ...['-keyout', file('ca.key'), '-out', file('ca.crt')],
  );
  await openssl(
    ...[
      'req',
      ...NEW_KEY,
      '-subj',
      '/CN=localhost',
      '-keyout',
      file('server.key'),
      '-out',
      file('server.csr'),
    ],
  );
  await openssl(
    ...['x509', '-req', '-in', file('server.csr'), '-CA', file('ca.crt'), '-CAkey', file('ca.key')],
    ...['-CAcreateserial', '-days', '1', '-extfile', file('server.ext'), '-out', file('server.crt')],
  );
  return { authority: file('ca.crt'), certificate: file('server.crt'), key: file('server.key') };
}

async function openssl(...args: readonly string[]): Promise<void> {
  const result = await run('openssl', args, OPENSSL_TIMEOUT_MS);
  if (result.exitCode !== 0)
    throw new Error(`${result.commandLine}: ${describeEnd(result)}\n${result.output}`);
}
