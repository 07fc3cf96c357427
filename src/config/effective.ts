import { stringify } from 'yaml';
import { formatEndpoint } from '../wire/address.ts';
import type { Config } from './config.ts';
import { maskSecrets } from './secrets.ts';

/** The whole configuration in force, in the form of a configuration file, every secret masked. */
export function effectiveConfigYaml(config: Config): string {
  const { http, ...admin } = config.admin;
  const { services: b2buaServices, ng, ...b2bua } = config.b2bua;
  const { services, requestsPort, requestsPortRange, ...turn } = config.turn;
  const written = {
    node: config.node,
    // Of the two ways to name the ports for requests only one may stand in a file.
    turn: { services, ...(requestsPortRange ? { requestsPortRange } : { requestsPort }), ...turn },
    b2bua: { services: b2buaServices, ng: formatEndpoint(ng.address, ng.port), ...b2bua },
    metrics: config.metrics,
    admin: { http: formatEndpoint(http.address, http.port), ...admin },
  };
  return stringify(maskSecrets(written), { version: '1.2', lineWidth: 100, aliasDuplicateObjects: false });
}
