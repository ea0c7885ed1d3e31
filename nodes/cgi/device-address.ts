import { CodedError } from '../kit/errors';

export interface DeviceAddress {
  /** `http://host:port` without a path. */
  origin: string;
  /** host, with the port where it is not the scheme's own. */
  label: string;
}

/**
 * What people write as the address of a device: a host name or IP, with or without port, or a pasted URL whose scheme then counts.
 * @throws CodedError CONFIG_INVALID, field `host`
 */
export function deviceAddress(host: string, https: boolean): DeviceAddress {
  const text = /^[a-z][a-z\d+.-]*:\/\//i.test(host) ? host : `${https ? 'https' : 'http'}://${host}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url && /^https?:$/.test(url.protocol) && url.hostname !== '' && !url.username && !url.password;
  if (!plain || (url.pathname !== '/' && url.pathname !== '') || url.search || url.hash) {
    throw new CodedError('CONFIG_INVALID', 'host: must be an address such as 192.168.1.108 or camera.local:8080, without a path', {
      field: 'host',
    });
  }
  return { origin: url.origin, label: url.host };
}
