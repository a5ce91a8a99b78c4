"""What watching and asking cost: FLOPs, bytes and peaks, in closed form and measured."""
