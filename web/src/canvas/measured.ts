/** The sockets of cards that come later than their nodes: only now can the library measure them. */
import { useUpdateNodeInternals } from "@xyflow/react";
import { useEffect } from "react";

/** Has a node's sockets measured again, once its card is there. Without, its wires end nowhere. */
export function useMeasured(id: string): void {
  const measure = useUpdateNodeInternals();
  useEffect(() => measure(id), [measure, id]);
}
