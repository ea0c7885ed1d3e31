/** A tab with one node of each type, for the dialogs. */
export const SOURCE = 'aaaaaaaaaaaa0002';
export const DEVICE = 'aaaaaaaaaaaa0003';
export const LOG = 'aaaaaaaaaaaa0004';
const TAB = 'aaaaaaaaaaaa0001';

export interface Settings {
  device?: object;
  source?: object;
  log?: object;
}

export const flow = ({ device = {}, source = {}, log = {} }: Settings = {}): object[] => [
  { id: TAB, type: 'tab', label: 'Dialogs' },
  { id: SOURCE, type: 'cgi-events', z: TAB, name: '', device: DEVICE, codes: 'All', exclude: '', channels: '', x: 240, y: 200, wires: [[LOG], [LOG]], ...source },
  {
    id: LOG, type: 'event-log', z: TAB, name: '', path: 'logs/{{device}}.log', format: 'text', template: '', level: 'INFO',
    maxMegabytes: 10, maxFiles: 5, x: 560, y: 200, wires: [], ...log,
  },
  {
    id: DEVICE, type: 'cgi-device', name: '', host: '127.0.0.1:9', https: false, tlsVerify: true, tlsCaFile: '', tlsLegacy: false, allowBasic: false,
    heartbeat: 5, backoffBase: 1.5, backoffMax: 60, charset: 'auto', serial: '', userEnv: '', passwordEnv: '', ...device,
  },
];

/** Every field an environment variable, as an imported flow may have it. */
export const variables = {
  device: {
    name: '${CAM_NAME:-}', host: '${CAM_IP:-192.168.1.108}', https: '${USE_HTTPS:-false}', tlsVerify: '${VERIFY_TLS:-false}', tlsCaFile: '${TLS_CA_BUNDLE:-}',
    tlsLegacy: '${TLS_LEGACY:-false}', allowBasic: '${ALLOW_BASIC:-false}', heartbeat: '${HEARTBEAT:-5}', backoffBase: '${BACKOFF_BASE:-1.5}',
    backoffMax: '${BACKOFF_MAX:-60}', charset: '${CHARSET:-auto}', serial: '${SERIAL:-}', userEnv: 'CAM_USER', passwordEnv: 'CAM_PASS',
  },
  source: { codes: '${CODES:-All}', exclude: '${EXCLUDE:-}', channels: '${CHANNELS:-}' },
  log: {
    path: '${LOG_FILE:-logs/events.log}', format: '${LOG_FORMAT:-text}', template: '${LOG_LINE:-}', level: '${LOG_LEVEL:-INFO}',
    maxMegabytes: '${LOG_MB:-10}', maxFiles: '${LOG_FILES:-5}',
  },
} as const;
