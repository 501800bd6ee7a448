/**
 * The parts of the canvas that appear after the first nodes: loaded as one file while those are
 * drawn.
 */

export { BoundaryCard } from "./BoundaryCard";
export { Breadcrumbs } from "./Breadcrumbs";
export { ContextMenu } from "./ContextMenu";
export { DifferenceLayer } from "./DifferenceLayer";
export { FoldCard } from "./FoldCard";
export { Gestures } from "./Gestures";
export { Groups } from "./Groups";
export { Minimap } from "./Minimap";
export { NoteCard } from "./NoteCard";
export { Overview } from "./Overview";
export { PictureMenu } from "./PictureMenu";
export { Pulling } from "./Pulling";
export { RerouteCard } from "./RerouteCard";
export { SelectionBar } from "./SelectionBar";
export { WireLayer } from "./WireLayer";
export { WireMarks } from "./WireMarks";
export { WireMenu } from "./WireMenu";
export { ZoomBar } from "./ZoomBar";
