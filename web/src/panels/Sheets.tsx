/** The open dialog, if there is one; each is loaded when it is first opened. */
import { type ComponentType, Suspense } from "react";
import { type Sheet, useView } from "../state/session/view";
import { part } from "../widgets/part";

const SHEETS: Readonly<Record<Sheet, ComponentType>> = {
  batch: part(() => import("./Batch").then(({ Batch }) => Batch)),
  settings: part(() => import("./Settings").then(({ Settings }) => Settings)),
  keys: part(() => import("./KeySettings").then(({ KeySettings }) => KeySettings)),
  templates: part(() => import("./Templates").then(({ Templates }) => Templates)),
  needs: part(() => import("./Needs").then(({ Needs }) => Needs)),
  blueprints: part(() => import("./Blueprints").then(({ Blueprints }) => Blueprints)),
  versions: part(() => import("./Versions").then(({ Versions }) => Versions)),
  packs: part(() => import("./Packs").then(({ Packs }) => Packs)),
  about: part(() => import("./About").then(({ About }) => About)),
  help: part(() => import("./NodeHelp").then(({ NodeHelp }) => NodeHelp)),
};

export function Sheets() {
  const sheet = useView((state) => state.sheet);
  if (sheet === null) return null;
  const Shown = SHEETS[sheet];
  return (
    <Suspense>
      <Shown />
    </Suspense>
  );
}
