/** What the canvas draws beside the first nodes, each in its place as soon as it is fetched. */
import { type ComponentType, lazy, Suspense } from "react";
import { tellError } from "../state/view";
import { fetchedAgain } from "../widgets/fetchedAgain";

// Asked for at once, not when it is first drawn: the server may be away by then.
export const later = fetchedAgain(() => import("./later"), tellError);

export const ContextMenu = soon(async () => ({ default: (await later).ContextMenu }));
export const DifferenceLayer = soon(async () => ({ default: (await later).DifferenceLayer }));
export const Groups = soon(async () => ({ default: (await later).Groups }));
export const Minimap = soon(async () => ({ default: (await later).Minimap }));
export const Overview = soon(async () => ({ default: (await later).Overview }));
export const Pulling = soon(async () => ({ default: (await later).Pulling }));
export const SelectionBar = soon(async () => ({ default: (await later).SelectionBar }));
export const WireLayer = soon(async () => ({ default: (await later).WireLayer }));
export const WireMarks = soon(async () => ({ default: (await later).WireMarks }));
export const WireMenu = soon(async () => ({ default: (await later).WireMenu }));
export const FoldCard = soon(async () => ({ default: (await later).FoldCard }));
export const BoundaryCard = soon(async () => ({ default: (await later).BoundaryCard }));
export const NoteCard = soon(async () => ({ default: (await later).NoteCard }));
export const RerouteCard = soon(async () => ({ default: (await later).RerouteCard }));

/** What is fetched; until then its place stays empty, and the others are drawn. */
function soon<Props extends object>(load: () => Promise<{ default: ComponentType<Props> }>) {
  const Part = lazy(load) as ComponentType<Props>;
  return (props: Props) => (
    <Suspense>
      <Part {...props} />
    </Suspense>
  );
}
