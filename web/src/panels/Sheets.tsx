/** The dialog that is open, if one is; each is fetched when it is first asked for. */
import { type ComponentType, lazy, Suspense } from "react";
import { type Sheet, useView } from "../state/view";

const SHEETS: Readonly<Record<Sheet, ComponentType>> = {
  batch: lazy(() => import("./Batch").then(({ Batch }) => ({ default: Batch }))),
  settings: lazy(() => import("./Settings").then(({ Settings }) => ({ default: Settings }))),
  keys: lazy(() => import("./KeySettings").then(({ KeySettings }) => ({ default: KeySettings }))),
  templates: lazy(() => import("./Templates").then(({ Templates }) => ({ default: Templates }))),
  missing: lazy(() => import("./Missing").then(({ Missing }) => ({ default: Missing }))),
  blueprints: lazy(() =>
    import("./Blueprints").then(({ Blueprints }) => ({ default: Blueprints })),
  ),
  versions: lazy(() => import("./Versions").then(({ Versions }) => ({ default: Versions }))),
  help: lazy(() => import("./NodeHelp").then(({ NodeHelp }) => ({ default: NodeHelp }))),
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
