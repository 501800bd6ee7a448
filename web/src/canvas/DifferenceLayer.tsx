/** The marks of a comparison, loaded when a comparison is open. */
import { Suspense } from "react";
import { useDifference } from "../state/results/difference";
import { part } from "../widgets/part";

const Marks = part(() => import("./DifferenceMarks").then((module) => module.DifferenceMarks));

export function DifferenceLayer() {
  const compared = useDifference((state) => state.compared);
  if (compared === null) return null;
  return (
    <Suspense fallback={null}>
      <Marks />
    </Suspense>
  );
}
