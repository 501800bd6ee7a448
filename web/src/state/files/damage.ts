/** Reports what was damaged in an opened file, and how it was repaired. */

import { isObject, type Json } from "../../document/json";
import { isDefinition, savedDefinitions } from "../../document/read";
import { repairLevel } from "../../document/repair";
import { t } from "../../words/words";
import { notify } from "../session/view";

/** Reports nothing for an undamaged file. */
export function notifyDamage(value: Json, name: string): void {
  if (!isObject(value) || !Array.isArray(value.nodes)) return;
  const inner = savedDefinitions(value).filter(isDefinition);
  const found = [repairLevel(value, false), ...inner.map((each) => repairLevel(each, true))].map(
    ({ damage }) => damage,
  );
  const sum = (kind: keyof (typeof found)[number]) =>
    found.reduce((count, each) => count + each[kind], 0);
  const [renamed, joined, unread] = [sum("renamed"), sum("joined"), sum("unread")];
  const parts = [
    renamed > 0 ? t("{{count}} nodes have an id of their own now.", { count: renamed }) : null,
    joined > 0 ? t("{{count}} wires were reconnected.", { count: joined }) : null,
    unread > 0
      ? t("{{count}} entries cannot be read; they stay in the file as they are.", { count: unread })
      : null,
  ].filter((each) => each !== null);
  if (parts.length === 0) return;
  notify(t("The file of {{name}} is damaged. {{parts}}", { name, parts: parts.join(" ") }));
}
