/** All settings, searchable, each with an explanation. */
import { useId, useState } from "react";
import { settingKey, useExtensions } from "../state/catalog/extensions";
import {
  SETTINGS,
  type Setting,
  type SettingId,
  storeSetting,
  useSettings,
} from "../state/session/settings";
import { openSheet } from "../state/session/view";
import { Select } from "../widgets/Select";
import { t } from "../words/words";
import { Dialog } from "./Dialog";
import "./settings.css";

const GROUPS: readonly Setting["group"][] = ["Appearance", "Canvas", "Editing", "Run", "Keys"];

export function Settings() {
  const [typed, setTyped] = useState("");
  const all = (Object.entries(SETTINGS) as [SettingId, Setting][]).filter(
    ([, { kind }]) => kind !== "names",
  );
  const declared = useExtensions((state) => state.declared);
  const wanted = typed.trim().toLowerCase();
  const shown = all.filter(([, { title, why }]) =>
    `${t(title)} ${t(why)}`.toLowerCase().includes(wanted),
  );
  return (
    <Dialog title={t("Settings")} width="wide" onClose={() => openSheet(null)}>
      <input
        autoFocus
        type="search"
        className="settings-search"
        aria-label={t("Search the settings")}
        placeholder={t("Search the settings")}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
      {GROUPS.map((group) => {
        const inside = shown.filter(([, each]) => each.group === group);
        return inside.length === 0 ? null : (
          <section key={group} className="setting-group" aria-label={t(group)}>
            <h3>{t(group)}</h3>
            {inside.map(([id, each]) => (
              <Row key={id} id={id} described={each} />
            ))}
          </section>
        );
      })}
      {declared.map(({ pack, name, settings }) => {
        const inside = settings.filter(({ title, why }) =>
          `${title} ${why}`.toLowerCase().includes(wanted),
        );
        return inside.length === 0 ? null : (
          <section key={pack} className="setting-group" aria-label={name}>
            <h3>{name}</h3>
            {inside.map((each) => (
              <Row
                key={each.id}
                id={settingKey(pack, each)}
                described={{ ...each, group: "Editing" } as Setting}
              />
            ))}
          </section>
        );
      })}
      {shown.length === 0 && <p className="quiet">{t("No setting matches.")}</p>}
    </Dialog>
  );
}

function Row({ id, described }: { id: string; described: Setting }) {
  const control = useId();
  const why = useId();
  return (
    <div className="setting">
      <label htmlFor={control}>{t(described.title)}</label>
      <p id={why}>{t(described.why)}</p>
      <Control id={id} described={described} control={control} why={why} />
    </div>
  );
}

interface ControlProps {
  id: string;
  described: Setting;
  control: string;
  why: string;
}

function Control({ id, described, control, why }: ControlProps) {
  const found = useSettings(({ values }) => values[id]);
  const value = found ?? described.standard;
  const names = { id: control, "aria-describedby": why, className: "plain" };
  const set = storeSetting;
  switch (described.kind) {
    case "toggle":
      return (
        <input
          {...names}
          type="checkbox"
          className="setting-switch"
          checked={value === true}
          onChange={(event) => set(id, event.currentTarget.checked)}
        />
      );
    case "choice":
      return (
        <Select
          {...names}
          className=""
          value={String(value)}
          options={Object.entries(described.choices).map(([key, title]) => [key, t(title)])}
          onChoose={(key) => set(id, key)}
        />
      );
    case "number":
      return (
        <NumberSetting
          {...{ names, described }}
          value={Number(value)}
          set={(next) => set(id, next)}
        />
      );
    case "text":
      return (
        <input
          {...names}
          type="text"
          value={String(value)}
          onChange={(event) => set(id, event.currentTarget.value)}
        />
      );
    case "keys":
      return <KeysButton why={why} />;
    case "names":
      return null;
  }
}

interface NumberProps {
  names: { id: string; "aria-describedby": string; className: string };
  described: Extract<Setting, { kind: "number" }>;
  value: number;
  set: (value: number) => void;
}

/**
 * A number setting. While a typed number is incomplete or out of range, the text stays and the
 * value does not change; leaving the field resets the text.
 */
function NumberSetting({ names, described: { min, max, step }, value, set }: NumberProps) {
  const [typed, setTyped] = useState<string | null>(null);
  return (
    <input
      {...names}
      type="number"
      min={min}
      max={max}
      step={step}
      value={typed ?? value}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        const next = event.currentTarget.valueAsNumber;
        if (next >= min && next <= max) set(next);
      }}
      onBlur={() => setTyped(null)}
    />
  );
}

function KeysButton({ why }: Pick<ControlProps, "why">) {
  return (
    <button
      type="button"
      aria-describedby={why}
      className="plain"
      onClick={() => openSheet("keys")}
    >
      {t("Change the keys")}
    </button>
  );
}
