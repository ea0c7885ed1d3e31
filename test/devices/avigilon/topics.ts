/** Event types of facts A4, by the groups that subscriptions may name (A6). */
export const TOPIC_GROUPS = {
  DEVICE: [
    'DEVICE_MOTION_START', 'DEVICE_MOTION_STOP', 'DEVICE_RECORDING_STARTED', 'DEVICE_RECORDING_STOPPED',
    'DEVICE_ANALYTICS_START', 'DEVICE_ANALYTICS_STOP', 'DEVICE_DIGITAL_INPUT_ON', 'DEVICE_DIGITAL_INPUT_OFF',
    'DEVICE_CLASSIFIED_OBJECT_MOTION_START', 'DEVICE_CLASSIFIED_OBJECT_MOTION_STOP', 'DEVICE_CLASSIFIED_OBJECT_ANOMALY_START',
    'DEVICE_CLASSIFIED_OBJECT_ANOMALY_STOP', 'DEVICE_ANOMALY_START', 'DEVICE_ANOMALY_STOP', 'DEVICE_UNUSUAL_STARTED',
    'DEVICE_UNUSUAL_STOPPED', 'DEVICE_FACET_START', 'DEVICE_FACET_STOP', 'DEVICE_FACE_MATCH_START', 'DEVICE_FACE_MATCH_STOP',
    'DEVICE_LPR_PLATE_FOUND', 'DEVICE_LPR_PLATE_UPDATE', 'DEVICE_LPR_PLATE_LOST', 'DEVICE_LPR_MATCH', 'DEVICE_PRESENCE_STARTED',
    'DEVICE_PRESENCE_STOPPED', 'DEVICE_PRESENCE_DWELL_STARTED', 'DEVICE_PRESENCE_DWELL_STOPPED', 'DEVICE_OBJECT_DESCRIPTION',
    'DEVICE_USER_DEFINED_ARBITRARY_EVENT_STARTED', 'DEVICE_USER_DEFINED_ARBITRARY_EVENT_STOPPED',
    'DEVICE_USER_DEFINED_ARBITRARY_EVENT_ERROR', 'DEVICE_TAMPERING', 'DEVICE_VIDEO_SIGNAL_LOST', 'DEVICE_COMMUNICATION_LOST',
    'DEVICE_CONNECTION_ERROR', 'DEVICE_LONG_FAILED', 'DEVICE_DISCONNECTED',
  ],
  USER: ['USER_LOGIN', 'USER_LOGIN_FAILURE'],
  DB: ['DB_REINDEX'],
  STORAGE: [],
  ALARM: [],
} as const satisfies Record<string, readonly string[]>;

export const TOPICS: readonly string[] = Object.values(TOPIC_GROUPS).flat();

/** The single topics that names, groups and `ALL` stand for; undefined when one is unknown. */
export function expandTopics(names: readonly string[]): Set<string> | undefined {
  const topics = new Set<string>();
  for (const name of names) {
    const group = name === 'ALL' ? TOPICS : TOPICS.includes(name) ? [name] : groupOf(name);
    if (!group) return undefined;
    for (const topic of group) topics.add(topic);
  }
  return topics;
}

function groupOf(name: string): readonly string[] | undefined {
  return Object.hasOwn(TOPIC_GROUPS, name) ? TOPIC_GROUPS[name as keyof typeof TOPIC_GROUPS] : undefined;
}

export const opens = (type: string): boolean => /_(START|STARTED|ON)$/.test(type);
export const closes = (type: string): boolean => /_(STOP|STOPPED|OFF)$/.test(type);
