/** What opens over the studio for results, each brought only when it is first asked for. */
import { lazy, Suspense } from "react";
import { useDifference } from "../state/difference";
import { useLooking } from "../state/lookAt";
import { useView } from "../state/view";

const Lightbox = lazy(() => import("./Lightbox").then((room) => ({ default: room.Lightbox })));
const Compare = lazy(() => import("./Compare").then((room) => ({ default: room.Compare })));
const DifferenceList = lazy(() =>
  import("./DifferenceList").then((room) => ({ default: room.DifferenceList })),
);

export function ResultRooms() {
  const url = useView((state) => state.lightbox);
  const { shelf, compared } = useLooking();
  return (
    <Suspense fallback={null}>
      {(url !== null || shelf !== null) && <Lightbox />}
      {compared !== null && <Compare />}
    </Suspense>
  );
}

/** Beside the canvas. */
export function ResultSide() {
  const compared = useDifference((state) => state.compared);
  if (compared === null) return null;
  return (
    <Suspense fallback={null}>
      <DifferenceList />
    </Suspense>
  );
}
