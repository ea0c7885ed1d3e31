import { JsonLiteral, type DahuaJson, type DahuaObject } from './styled-json';

/** How a firmware writes the moment of an event (facts A4). */
export interface TimeStyle {
  /** `true`: UTC is UTC; `wall-clock`: the local time written as if it were UTC. */
  utc: 'true' | 'wall-clock';
  /** Local time minus UTC in minutes: 420 for UTC+7. */
  offsetMinutes: number;
  localeTime: boolean;
  realUtc: boolean;
  /** `1548929098.0` instead of `1548929098`. */
  float: boolean;
}

export const plainUtc: TimeStyle = { utc: 'true', offsetMinutes: 0, localeTime: false, realUtc: false, float: false };

/** `UTC`, `UTCMS` and, where the style has them, `LocaleTime` and `RealUTC` of the instant `at` (epoch ms). */
export function timeFields(at: number, style: TimeStyle): DahuaObject {
  const local = at + style.offsetMinutes * 60_000;
  const seconds = (ms: number): DahuaJson => {
    const whole = Math.floor(ms / 1000);
    return style.float ? new JsonLiteral(`${whole}.0`) : whole;
  };
  return {
    UTC: seconds(style.utc === 'true' ? at : local),
    UTCMS: at % 1000,
    ...(style.localeTime ? { LocaleTime: new Date(local).toISOString().slice(0, 19).replace('T', ' ') } : {}),
    ...(style.realUtc ? { RealUTC: seconds(at) } : {}),
  };
}
