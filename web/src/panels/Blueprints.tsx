/** The list of blueprints: add one to the canvas; rename or delete your own. */

import { Plus, Trash2 } from "lucide-react";
import { useEffect } from "react";
import {
  placeBlueprint,
  refreshBlueprints,
  removeBlueprint,
  renameBlueprint,
  useBlueprints,
} from "../state/catalog/blueprints";
import { askConfirmation } from "../state/session/ask";
import { canvas } from "../state/session/canvas";
import { useEditor } from "../state/session/editor";
import { openSheet } from "../state/session/view";
import { t } from "../words/words";
import { Dialog } from "./Dialog";
import "./subgraph.css";

async function remove(name: string): Promise<void> {
  const question = t("Delete the blueprint {{name}}?", { name });
  const text = t("Workflows that use it keep their own copy.");
  if (await askConfirmation(question, text, t("Delete"))) await removeBlueprint(name);
}

export function Blueprints() {
  const editor = useEditor();
  const all = useBlueprints((state) => state.all);
  useEffect(() => void refreshBlueprints(), []);
  const close = () => openSheet(null);
  const names = Object.keys(all ?? {}).sort((one, other) => one.localeCompare(other));
  return (
    <Dialog title={t("Blueprints")} onClose={close}>
      {all !== null && names.length === 0 && (
        <p className="quiet">
          {t("Select a subgraph and save it as a blueprint to add it to any workflow.")}
        </p>
      )}
      <ul className="blueprints">
        {names.map((name) => (
          <li key={name}>
            <input
              className="plain"
              readOnly={all?.[name]?.pack !== null}
              aria-label={t("Name of the blueprint {{name}}", { name })}
              defaultValue={name}
              onKeyDown={(event) => {
                if (event.key === "Enter") event.currentTarget.blur();
              }}
              onBlur={(event) => {
                if (!event.currentTarget.readOnly)
                  void renameBlueprint(name, event.currentTarget.value);
              }}
            />
            <button
              type="button"
              className="ghost"
              aria-label={t("Add {{name}}", { name })}
              onClick={() => {
                const schema = all?.[name]?.schema;
                const handle = canvas();
                close();
                if (schema !== undefined && handle !== null) {
                  placeBlueprint(editor, schema, handle.toGraph(handle.pointer()));
                }
              }}
            >
              <Plus size={14} aria-hidden />
            </button>
            {all?.[name]?.pack === null && (
              <button
                type="button"
                className="ghost"
                aria-label={t("Delete the blueprint {{name}}", { name })}
                onClick={() => void remove(name)}
              >
                <Trash2 size={14} aria-hidden />
              </button>
            )}
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
