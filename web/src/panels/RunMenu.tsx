/**
 * The menu of the Run button: all run commands, and running on every change.
 */

import { type RefObject, useEffect, useRef, useState } from "react";
import { keyFor } from "../state/commands/keymap";
import { wordsOf } from "../state/outcomes/plan";
import { planForTargets, selectedTargets } from "../state/runs/partialPlan";
import { isEnabled, runCommand, useCommands } from "../state/session/commandRegistry";
import { useEditor } from "../state/session/editor";
import { useSetting } from "../state/session/settings";
import { errorText as wordsOfError } from "../state/session/view";
import { type MenuItem, MenuRows } from "../widgets/Menu";
import { t } from "../words/words";
import { useClickOutside } from "./useClickOutside";

interface Props {
  bar: RefObject<HTMLElement | null>;
  onClose: () => void;
}

export function RunMenu({ bar, onClose }: Props) {
  const items = useRunItems();
  const menu = useRef<HTMLDivElement>(null);
  useClickOutside(bar, onClose);
  useEffect(() => menu.current?.querySelector<HTMLElement>("[role^=menuitem]")?.focus(), []);
  const close = () => {
    onClose();
    bar.current?.querySelector<HTMLElement>("[aria-haspopup]")?.focus();
  };
  return (
    <div className="run-menu">
      <MenuRows
        ref={menu}
        label={t("More ways to run")}
        items={items}
        onClose={close}
        onDone={close}
      />
    </div>
  );
}

const PART = "run.selected";

/** What a run up to the selection would do. */
function Foreseen() {
  const editor = useEditor();
  const [words, setWords] = useState<string | null>(null);
  useEffect(() => {
    let gone = false;
    planForTargets(editor, selectedTargets(editor)).then(
      (plan) => {
        if (!gone)
          setWords(plan === null ? t("This part cannot run yet") : wordsOf(plan).join(" · "));
      },
      (error: unknown) => {
        if (!gone) setWords(wordsOfError(error));
      },
    );
    return () => {
      gone = true;
    };
  }, [editor]);
  return words ?? "…";
}

function useRunItems(): readonly MenuItem[] {
  const commands = useCommands((state) => state.all).filter(
    (each) => each.group === "Run" && each.id !== "run.run" && isEnabled(each),
  );
  const checked: Readonly<Record<string, boolean>> = {
    "run.onChange": useSetting("calotype.runOnChange"),
    "run.follow": useSetting("calotype.follow"),
  };
  return commands.map(({ id, title }) => {
    const [on, keys] = [checked[id], keyFor(id)];
    return {
      label: t(title),
      run: () => void runCommand(id),
      ...(on === undefined ? {} : { checked: on }),
      ...(keys === undefined ? {} : { keys }),
      ...(id === PART ? { note: <Foreseen /> } : {}),
    };
  });
}
