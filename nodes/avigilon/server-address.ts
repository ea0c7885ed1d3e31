import { CodedError } from '../kit/errors';

export interface ServerAddress {
  /** `https://host:port` without a path. */
  origin: string;
  /** `/mt/api/rest/v1`, behind the prefix of a reverse proxy if there is one; no slash at the end. */
  basePath: string;
  /** host:port, for texts. */
  label: string;
}

const API_PATH = '/mt/api/rest/v1';
/** Of a server installed on Windows; appliances use 443 (facts/avigilon-een.md A1). */
const DEFAULT_PORTS: Record<string, string> = { 'https:': '8443', 'http:': '8080' };

/**
 * What people write as the address of a Web Endpoint: host or IP, with or without port, or a pasted URL with or without the API's path.
 * @throws CodedError CONFIG_INVALID, field `url`
 */
export function serverAddress(text: string): ServerAddress {
  const full = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `https://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (!url || !(url.protocol in DEFAULT_PORTS) || url.hostname === '' || url.username || url.password || url.search || url.hash) {
    throw new CodedError('CONFIG_INVALID', 'url: must be an address such as 192.168.1.10, acc.local:8443 or https://acc.local:8443', { field: 'url' });
  }
  // URL drops a port that is the scheme's own, so that a written :443 looks like none.
  const written = /^[a-z][a-z\d+.-]*:\/\/[^/]*:(\d+)(?:\/|$)/i.exec(full)?.[1];
  const port = written ?? DEFAULT_PORTS[url.protocol];
  const path = url.pathname.replace(/\/+$/, '');
  return {
    origin: `${url.protocol}//${url.hostname}:${port}`,
    basePath: path.endsWith(API_PATH) ? path : `${path}${API_PATH}`,
    label: `${url.hostname}:${port}`,
  };
}
