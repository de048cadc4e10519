/** `now` and `date`: prompts that know what day it is. */
import { printValue } from "../printer.ts";
import { checkedZone, formatMoment } from "../moment-format.ts";
import { CallError } from "../template-error.ts";
import type { FunctionTable, TemplateFunction } from "../template-function.ts";
import { Moment, asNumber, kindOf, typeName } from "../values.ts";
import type { Value } from "../values.ts";

/** What the time functions need to know of the world. */
export interface TimeSource {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** The time zone where none is named; IANA name. */
  readonly zone: string;
}

/** `date` takes what `now` gives, Unix seconds, or a time in RFC 3339. */
function momentOf(value: Value, zone: string, spelled: string): Moment {
  switch (kindOf(value)) {
    case "moment":
      return value as Moment;
    case "int":
    case "float64":
      return inRange(asNumber(value) * 1000, zone, spelled);
    case "string": {
      const text = value as string;
      const isRfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/.test(text);
      return inRange(isRfc3339 ? Date.parse(text.replace(" ", "T")) : Number.NaN, zone, spelled);
    }
    default:
      throw new CallError(`a value of type ${typeName(value)} is no time`);
  }
}

function inRange(epochMs: number, zone: string, spelled: string): Moment {
  if (!(Math.abs(epochMs) <= 8.64e15)) {
    throw new CallError(`${spelled.slice(0, 40)} is no time: give Unix seconds or RFC 3339`);
  }
  return new Moment(Math.floor(epochMs), zone);
}

/**
 * `now`, `now "Asia/Shanghai"`; `date LAYOUT TIME`, `dateInZone LAYOUT TIME ZONE`.
 * @throws CallError if the source's zone does not exist
 */
export function timeFunctions(source: TimeSource): FunctionTable {
  const standard = checkedZone(source.zone);
  return new Map<string, TemplateFunction>([
    [
      "now",
      {
        parameters: [],
        rest: "string",
        call: (args) => {
          if (args.length > 1) throw new CallError("takes one time zone");
          return new Moment(source.nowMs(), checkedZone((args[0] as string | undefined) ?? standard));
        },
      },
    ],
    [
      "date",
      {
        parameters: ["string", "any"],
        call: ([layout, time], meter) => {
          meter.text((layout as string).length * 8);
          return formatMoment(momentOf(time, standard, printValue(time, meter)), layout as string);
        },
      },
    ],
    [
      "dateInZone",
      {
        parameters: ["string", "any", "string"],
        call: ([layout, time, zone], meter) => {
          meter.text((layout as string).length * 8);
          const moment = momentOf(time, standard, printValue(time, meter));
          return formatMoment(new Moment(moment.epochMs, checkedZone(zone as string)), layout as string);
        },
      },
    ],
  ]);
}
