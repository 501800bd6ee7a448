/** The lazily loaded parts of the canvas, each shown as soon as it is loaded. */
import { type ComponentType, lazy, Suspense } from "react";
import { notifyError } from "../state/session/view";
import { fetchWithRetry } from "../widgets/fetchWithRetry";

// Loaded at start, not on first use: the server may be unreachable by then.
export const laterParts = fetchWithRetry(() => import("./laterParts"), notifyError);

export const Breadcrumbs = lazily(async () => ({ default: (await laterParts).Breadcrumbs }));
export const ContextMenu = lazily(async () => ({ default: (await laterParts).ContextMenu }));
export const DifferenceLayer = lazily(async () => ({
  default: (await laterParts).DifferenceLayer,
}));
export const Gestures = lazily(async () => ({ default: (await laterParts).Gestures }));
export const Groups = lazily(async () => ({ default: (await laterParts).Groups }));
export const Minimap = lazily(async () => ({ default: (await laterParts).Minimap }));
export const Overview = lazily(async () => ({ default: (await laterParts).Overview }));
export const PictureMenu = lazily(async () => ({ default: (await laterParts).PictureMenu }));
export const Pulling = lazily(async () => ({ default: (await laterParts).Pulling }));
export const SelectionBar = lazily(async () => ({ default: (await laterParts).SelectionBar }));
export const WireLayer = lazily(async () => ({ default: (await laterParts).WireLayer }));
export const WireMarks = lazily(async () => ({ default: (await laterParts).WireMarks }));
export const WireMenu = lazily(async () => ({ default: (await laterParts).WireMenu }));
export const ZoomBar = lazily(async () => ({ default: (await laterParts).ZoomBar }));
export const FoldCard = lazily(async () => ({ default: (await laterParts).FoldCard }));
export const BoundaryCard = lazily(async () => ({ default: (await laterParts).BoundaryCard }));
export const NoteCard = lazily(async () => ({ default: (await laterParts).NoteCard }));
export const RerouteCard = lazily(async () => ({ default: (await laterParts).RerouteCard }));

/** A component that is empty until it is loaded, while the others are drawn. */
function lazily<Props extends object>(load: () => Promise<{ default: ComponentType<Props> }>) {
  const Part = lazy(load) as ComponentType<Props>;
  return (props: Props) => (
    <Suspense>
      <Part {...props} />
    </Suspense>
  );
}
