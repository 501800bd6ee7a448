/** Sockets of cards that are loaded after their nodes: React Flow must measure them then. */
import { useUpdateNodeInternals } from "@xyflow/react";
import { useEffect } from "react";

/**
 * Has a node's sockets measured again when its card is mounted. Otherwise its wires would have no
 * ends.
 */
export function useMeasured(id: string): void {
  const measure = useUpdateNodeInternals();
  useEffect(() => measure(id), [measure, id]);
}
