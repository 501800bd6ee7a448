/** The menu of the logo: files, settings, help. */
import type { RefObject } from "react";
import { keyFor } from "../state/commands/keymap";
import { commandOf, isEnabled, runCommand, useCommands } from "../state/session/commandRegistry";
import { besideField } from "../widgets/besideField";
import { Menu, type MenuItem } from "../widgets/Menu";
import { t } from "../words/words";

const PLAN = [
  "file.new",
  "file.open",
  "file.openFile",
  "file.templates",
  "line",
  "file.save",
  "file.saveAs",
  "file.download",
  "file.exportApi",
  "result.pictureOnly",
  "line",
  "view.settings",
  "help.keys",
  "help.about",
] as const;

interface Props {
  button: RefObject<HTMLElement | null>;
  onClose: () => void;
}

export function BrandMenu({ button, onClose }: Props) {
  useCommands((state) => state.all);
  if (button.current === null) return null;
  const items = PLAN.flatMap((id): MenuItem[] => {
    if (id === "line") return ["line"];
    const command = commandOf(id);
    if (command === undefined) return [];
    const keys = keyFor(id);
    return [
      {
        label: t(command.title),
        ...(keys === undefined ? {} : { keys }),
        ...(isEnabled(command) ? {} : { disabled: true }),
        run: () => runCommand(id),
      },
    ];
  });
  return <Menu label="Calotype" items={items} at={besideField(button.current)} onClose={onClose} />;
}
