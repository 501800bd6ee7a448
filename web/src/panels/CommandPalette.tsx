/** Search for a command by a few letters of its name. Recently used commands come first. */
import { type KeyboardEvent, useMemo, useRef, useState } from "react";
import { keysOf, shownKey } from "../state/commands/keymap";
import { commandsFor } from "../state/finding/commandSearch";
import { type Command, isEnabled, runCommand, useCommands } from "../state/session/commandRegistry";
import { useSetting } from "../state/session/settings";
import { useView } from "../state/session/view";
import { Listbox, Option } from "../widgets/Listbox";
import { t } from "../words/words";
import { SearchLine } from "./SearchLine";
import { useClickOutside } from "./useClickOutside";
import { useRestoreFocus } from "./useRestoreFocus";
import "./dialog.css";

export function CommandPalette() {
  const open = useView((state) => state.commands);
  return open ? <Open /> : null;
}

function close(): void {
  useView.setState({ commands: false });
}

function choose(command: Command | undefined): void {
  if (command === undefined || !isEnabled(command)) return;
  close();
  // After the palette has restored the focus, since the command may open a dialog of its own.
  requestAnimationFrame(() => runCommand(command.id));
}

function Open() {
  const all = useCommands((state) => state.all);
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  useRestoreFocus();
  const shown = useMemo(() => commandsFor(all, typed), [all, typed]);
  useClickOutside(box, close);
  const key = (event: KeyboardEvent) => {
    event.stopPropagation();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) setAt(Math.max(0, Math.min(at + step, shown.length - 1)));
    else if (event.key === "Enter") choose(shown[at]);
    else if (event.key === "Escape" || event.key === "Tab") close();
    else return;
    event.preventDefault();
  };
  const search = (text: string) => {
    setTyped(text);
    setAt(0);
  };
  return (
    <div
      ref={box}
      role="dialog"
      aria-label={t("Commands")}
      className="command-palette"
      onKeyDown={key}
    >
      <SearchLine
        label={t("Name of a command")}
        placeholder={t("Search all commands")}
        value={typed}
        list="commands-found"
        active={shown[at] && `command-${shown[at].id}`}
        onChange={search}
      />
      <Listbox id="commands-found" label={t("Commands")}>
        {shown.map((each, index) => (
          <Line
            key={each.id}
            command={each}
            at={index === at}
            onPoint={() => setAt(index)}
            onChoose={() => choose(each)}
          />
        ))}
        {shown.length === 0 && <p className="options-none">{t("No command matches.")}</p>}
      </Listbox>
    </div>
  );
}

interface LineProps {
  command: Command;
  at: boolean;
  onPoint: () => void;
  onChoose: () => void;
}

function Line({ command, at, onPoint, onChoose }: LineProps) {
  const own = useSetting("calotype.keys");
  return (
    <Option
      id={`command-${command.id}`}
      at={at}
      disabled={!isEnabled(command)}
      onPoint={onPoint}
      onChoose={onChoose}
    >
      <span className="name">{t(command.title)}</span>
      <span className="detail">{t(command.group)}</span>
      {keysOf(command, own)
        .slice(0, 1)
        .map((key) => (
          <kbd key={key}>{shownKey(key)}</kbd>
        ))}
    </Option>
  );
}
