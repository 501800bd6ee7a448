/** The dialogs and overlays for results, each loaded when it is first opened. */
import { Suspense } from "react";
import { createPortal } from "react-dom";
import { useDifference } from "../state/results/difference";
import { useLightbox } from "../state/results/lightbox";
import { useView } from "../state/session/view";
import { part } from "../widgets/part";

const Lightbox = part(() => import("./Lightbox").then((module) => module.Lightbox));
const Compare = part(() => import("./Compare").then((module) => module.Compare));
const DifferenceList = part(() =>
  import("./DifferenceList").then((module) => module.DifferenceList),
);

export function ResultOverlays() {
  const url = useView((state) => state.lightbox);
  const { shelf, compared, within } = useLightbox();
  const viewer = (url !== null || shelf !== null) && <Lightbox />;
  return (
    <Suspense fallback={null}>
      {within === null ? viewer : createPortal(viewer, within.body)}
      {compared !== null && <Compare />}
    </Suspense>
  );
}

/** The results panel beside the canvas. */
export function ResultSide() {
  const compared = useDifference((state) => state.compared);
  if (compared === null) return null;
  return (
    <Suspense fallback={null}>
      <DifferenceList />
    </Suspense>
  );
}
