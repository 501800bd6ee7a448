/** The help: the legend of the signs on nodes, and all current keyboard shortcuts. */

import { keysOf, shownKey } from "../state/commands/keymap";
import { type Command, useCommands } from "../state/session/commandRegistry";
import { useSetting } from "../state/session/settings";
import { openSheet, useView } from "../state/session/view";
import { t } from "../words/words";
import { Dialog } from "./Dialog";
import { Signs } from "./Signs";

export function Shortcuts() {
  const open = useView((state) => state.shortcuts);
  return open ? <Sheet /> : null;
}

function change(): void {
  useView.setState({ shortcuts: false });
  openSheet("keys");
}

function Sheet() {
  const all = useCommands((state) => state.all);
  const own = useSetting("calotype.keys");
  const groups = new Map<string, Command[]>();
  for (const each of all) {
    if (keysOf(each, own).length === 0) continue;
    groups.set(each.group, [...(groups.get(each.group) ?? []), each]);
  }
  return (
    <Dialog
      title={t("Keys and signs")}
      width="wide"
      onClose={() => useView.setState({ shortcuts: false })}
    >
      <div className="shortcut-groups">
        <Signs />
        {[...groups].map(([group, commands]) => (
          <section key={group} aria-label={t(group)}>
            <h3>{t(group)}</h3>
            <dl>
              {commands.map((each) => (
                <div key={each.id}>
                  <dt>{t(each.title)}</dt>
                  <dd>
                    {keysOf(each, own).map((key) => (
                      <kbd key={key}>{shownKey(key)}</kbd>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <button type="button" className="link" onClick={change}>
        {t("Change the keys")}
      </button>
    </Dialog>
  );
}
