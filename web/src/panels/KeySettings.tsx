/**
 * The settings of keys: shows and changes the keys of each command, and warns where two commands
 * share a key.
 */
import { RotateCcw, X } from "lucide-react";
import { type KeyboardEvent, useMemo, useState } from "react";
import { keyOf, keysOf, shownKey } from "../state/commands/keymap";
import { type Command, useCommands } from "../state/session/commandRegistry";
import { changeSetting, SETTINGS, setting, useSetting } from "../state/session/settings";
import { openSheet } from "../state/session/view";
import { Select } from "../widgets/Select";
import { t } from "../words/words";
import { Dialog } from "./Dialog";
import "./settings.css";

export function KeySettings() {
  const all = useCommands((state) => state.all);
  const own = useSetting("calotype.keys");
  const preset = useSetting("calotype.keymap");
  const [typed, setTyped] = useState("");
  const owners = useMemo(() => {
    const found = new Map<string, Command[]>();
    for (const each of all) {
      for (const key of keysOf(each, own, preset)) {
        found.set(key, [...(found.get(key) ?? []), each]);
      }
    }
    return found;
  }, [all, own, preset]);
  const wanted = typed.trim().toLowerCase();
  const shown = all.filter((each) =>
    `${t(each.title)} ${keysOf(each, own, preset).join(" ")}`.toLowerCase().includes(wanted),
  );
  return (
    <Dialog title={t("Change the keys")} width="wide" onClose={() => openSheet(null)}>
      <div className="key-tools">
        <input
          autoFocus
          type="search"
          className="settings-search"
          aria-label={t("Search commands and keys")}
          placeholder={t("Search commands and keys")}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <Select
          aria-label={t("Key preset")}
          value={preset}
          options={Object.entries(SETTINGS["calotype.keymap"].choices)}
          onChoose={(key) => changeSetting("calotype.keymap", key)}
        />
        <button
          type="button"
          className="plain"
          disabled={Object.keys(own).length === 0}
          onClick={() => changeSetting("calotype.keys", {})}
        >
          {t("Remove all custom keys")}
        </button>
      </div>
      <ul className="key-list">
        {shown.map((each) => (
          <Row key={each.id} command={each} owners={owners} />
        ))}
      </ul>
      {shown.length === 0 && <p className="quiet">{t("No command matches.")}</p>}
    </Dialog>
  );
}

function setKeys(command: Command, keys: readonly string[] | null): void {
  const { [command.id]: _, ...others } = setting("calotype.keys");
  changeSetting("calotype.keys", keys === null ? others : { ...others, [command.id]: keys });
}

interface RowProps {
  command: Command;
  owners: ReadonlyMap<string, readonly Command[]>;
}

function Row({ command, owners }: RowProps) {
  const own = useSetting("calotype.keys");
  const preset = useSetting("calotype.keymap");
  const keys = keysOf(command, own, preset);
  const title = t(command.title);
  const shared = keys.flatMap((key) =>
    (owners.get(key) ?? []).filter(
      (each) =>
        each.id !== command.id &&
        (collides(each, command) || isChosen(each, key, own) || isChosen(command, key, own)),
    ),
  );
  return (
    <li>
      <span className="name">{title}</span>
      <span className="keys">
        {keys.map((key) => (
          <kbd key={key}>
            {shownKey(key)}
            <button
              type="button"
              aria-label={t("Remove {{key}} from {{title}}", { key: shownKey(key), title })}
              onClick={() =>
                setKeys(
                  command,
                  keys.filter((each) => each !== key),
                )
              }
            >
              <X size={11} aria-hidden />
            </button>
          </kbd>
        ))}
        <AddKey command={command} keys={keys} />
        {command.id in own && (
          <button
            type="button"
            className="ghost"
            aria-label={t("Reset the keys of {{title}}", { title })}
            onClick={() => setKeys(command, null)}
          >
            <RotateCcw size={13} aria-hidden />
          </button>
        )}
      </span>
      {shared.length > 0 && (
        <p className="shared">
          {t("Also used by: {{titles}}. The first command that is available runs.", {
            titles: shared.map((each) => t(each.title)).join(", "),
          })}
        </p>
      )}
    </li>
  );
}

/** A button that records the next key press as a key of the command. */
function AddKey({ command, keys }: { command: Command; keys: readonly string[] }) {
  const [waiting, setWaiting] = useState(false);
  const title = t(command.title);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Tab") return;
    event.preventDefault();
    event.stopPropagation();
    const key = keyOf(event.nativeEvent);
    if (key === null) return;
    setWaiting(false);
    if (key !== "Escape" && !keys.includes(key)) setKeys(command, [...keys, key]);
  };
  return (
    <button
      type="button"
      className={waiting ? "plain waiting" : "plain"}
      aria-label={t("Add a key: {{title}}", { title })}
      onClick={() => setWaiting(true)}
      onBlur={() => setWaiting(false)}
      onKeyDown={waiting ? onKeyDown : undefined}
    >
      {waiting ? t("Press the keys") : t("Add")}
    </button>
  );
}

/** Whether the user set this key for the command, perhaps without noticing that another has it. */
function isChosen({ id, keys }: Command, key: string, own: Record<string, readonly string[]>) {
  return own[id]?.includes(key) === true && keys?.includes(key) !== true;
}

/**
 * Whether two commands conflict over a key: those that are only enabled at different times can
 * share one.
 */
function collides(one: Command, other: Command): boolean {
  return one.enabled === undefined || other.enabled === undefined;
}
