/** The marks of a comparison, brought when there is one. */
import { lazy, Suspense } from "react";
import { useDifference } from "../state/difference";

const Marks = lazy(() =>
  import("./DifferenceMarks").then((room) => ({ default: room.DifferenceMarks })),
);

export function DifferenceLayer() {
  const compared = useDifference((state) => state.compared);
  if (compared === null) return null;
  return (
    <Suspense fallback={null}>
      <Marks />
    </Suspense>
  );
}
